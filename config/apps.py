from django.apps import AppConfig


class CarillonConfig(AppConfig):
    name = "config"
    verbose_name = "Carillon"
