from django.apps import AppConfig


class CarillonConfig(AppConfig):
    name = "config"
    verbose_name = "Carillon"

    def ready(self) -> None:
        from config import checks  # noqa: F401, PLC0415  registers them
