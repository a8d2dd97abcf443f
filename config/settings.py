"""Every setting, read once from the environment, with its type and its default.

`.env.example` lists each with a line of explanation. With neither `DATABASE_URL` nor `REDIS_URL` set, the
stack's own PostgreSQL and Valkey are used: `config.embedded` starts them and leaves their addresses in
`$CARILLON_HOME/services.env`, and the secrets it made in `secrets.env`, so that `manage.py` commands in
another terminal find them too.
"""

import os
from pathlib import Path

import environ
from django.templatetags.static import static
from kombu import Queue

BASE_DIR = Path(__file__).resolve().parent.parent
CARILLON_HOME = Path(os.environ.get("CARILLON_HOME", BASE_DIR / ".carillon")).resolve()

env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env")
environ.Env.read_env(CARILLON_HOME / "services.env")
environ.Env.read_env(CARILLON_HOME / "secrets.env")

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="insecure-build-key-replace-me")
# Those before it: what they signed is still believed, links in mails above all.
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
PUBLIC_URL = env.str("PUBLIC_URL", default="http://127.0.0.1:8000").rstrip("/")
# The page at `/` that shows the live feed of the demo tenant and sends to it, for whoever opens it.
DEMO = env.bool("DEMO", default=False)
SANDBOX_SMTP_PORT = env.int("SANDBOX_SMTP_PORT", default=1025)
SANDBOX_SMPP_PORT = env.int("SANDBOX_SMPP_PORT", default=2775)
SANDBOX_URL = env.str("SANDBOX_URL", default="http://127.0.0.1:8025").rstrip("/")
SECURE_PROXY_SSL_HEADER = (
    ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("BEHIND_PROXY", default=False) else None
)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PUBLIC_URL.startswith("https://")

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin.apps.SimpleAdminConfig",  # config.urls discovers it: only the web process needs it
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "rest_framework",
    "drf_spectacular",
    "corsheaders",
    "django_celery_beat",
    "config",
    "notifications",
    "delivery",
    "preferences",
    "templates_app",
    "tenants",
    "sandbox",
]

MIDDLEWARE = [
    "tenants.middleware.RequestContextMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "tenants.middleware.RateLimitMiddleware",
    "tenants.middleware.ProblemMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# PostgreSQL is the only source of truth. Connections are kept for the life of a thread; a dead one is
# noticed at the start of the next request or task and replaced.
DATABASES = {
    "default": {
        **env.db_url("DATABASE_URL", default="postgres://postgres@127.0.0.1:5432/carillon"),
        "CONN_MAX_AGE": env.int("DATABASE_CONN_MAX_AGE", default=60),
        "CONN_HEALTH_CHECKS": True,
    }
}
# Seconds; without it an address that swallows packets would hold a thread for minutes.
DATABASES["default"].setdefault("OPTIONS", {}).setdefault("connect_timeout", 3)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Valkey or Redis: broker, cache, live-feed channel, rate limits. Nothing that may not be lost.
REDIS_URL = env.str("REDIS_URL", default="redis://127.0.0.1:6379/0")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
    }
}
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"

CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_DEFAULT_QUEUE = "plan"
CELERY_TASK_STORE_EAGER_RESULT = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "priority_steps": [0, 3, 6, 9],
    "queue_order_strategy": "priority",
    "sep": ":",
    # A ring that was taken and not acknowledged comes back after this; the rows do not wait for it.
    "visibility_timeout": 600,
    "socket_keepalive": True,
    "health_check_interval": 10,
    # A ring that cannot be handed over is given up at once: nobody waits for the broker, the sweeper rings.
    # (A worker that looks for its broker goes by BROKER_CONNECTION_RETRY, not by this.)
    "max_retries": 0,
}
# How long a task may hold the rows that it claimed. Those of lost workers are looked for four times as often.
NOTIFICATION_LEASE_SECONDS = env.int("NOTIFICATION_LEASE_SECONDS", default=60)
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_SCHEDULE = {
    "tick": {
        "task": "config.tick",
        "schedule": 2.0,
        "options": {"expires": 10, "priority": 0},
    },
    "release-due": {
        "task": "delivery.release_due",
        "schedule": 1.0,
        "options": {"expires": 5, "priority": 0},
    },
    "plan-due": {
        "task": "notifications.plan_due",
        "schedule": 1.0,
        "options": {"expires": 5, "priority": 0},
    },
    "close-digests": {
        "task": "notifications.close_digests",
        "schedule": 1.0,
        "options": {"expires": 5, "priority": 0},
    },
    "purge-attachments": {
        "task": "delivery.purge_attachments",
        "schedule": 600.0,
        "options": {"expires": 300},
    },
    "keep-listening": {
        "task": "delivery.keep_listening",
        "schedule": 30.0,
        "options": {"expires": 30, "queue": "sms"},
    },
    "forget-replies": {
        "task": "delivery.forget_replies",
        "schedule": 600.0,
        "options": {"expires": 300},
    },
    "recover-expired": {
        "task": "delivery.recover_expired",
        "schedule": NOTIFICATION_LEASE_SECONDS / 4,
        "options": {"expires": NOTIFICATION_LEASE_SECONDS / 2},
    },
    "erase-due": {
        "task": "notifications.erase_due",
        "schedule": 10.0,
        "options": {"expires": 10, "priority": 9, "queue": "bulk"},
    },
    "forget-keys": {
        "task": "notifications.forget_keys",
        "schedule": 10.0,
        "options": {"expires": 10, "priority": 6},
    },
}
CELERY_TASK_QUEUES = [
    Queue(name)
    for name in (
        *(
            "plan",
            "in_app",
            "email",
            "sms",
            "whatsapp",
            "push",
            "slack",
            "discord",
            "webhook",
        ),
        *("events", "bulk"),
    )
]

# How many rows one task carries, how many provider calls it keeps in flight, how long one may take.
NOTIFICATION_CHUNK_SIZE = env.int("NOTIFICATION_CHUNK_SIZE", default=200)
NOTIFICATION_SEND_CONCURRENCY = env.int("NOTIFICATION_SEND_CONCURRENCY", default=100)
NOTIFICATION_SEND_TIMEOUT = env.float("NOTIFICATION_SEND_TIMEOUT", default=10.0)
NOTIFICATION_RETRY_THRESHOLD = env.int("NOTIFICATION_RETRY_THRESHOLD", default=3)
# How long a delivery waits for the only account there is, when that refuses: bad credentials, no credit.
NOTIFICATION_PARK_HOURS = env.int("NOTIFICATION_PARK_HOURS", default=24)
# How many of a digest's events its message lists; of the others it tells the number.
NOTIFICATION_DIGEST_ITEMS = env.int("NOTIFICATION_DIGEST_ITEMS", default=20)
# How long it is known who wrote what to us.
NOTIFICATION_REPLY_DAYS = env.int("NOTIFICATION_REPLY_DAYS", default=30)
# URLs that others chose (webhooks, push services, attachments) lead to public addresses or to these networks.
NOTIFICATION_PRIVATE_NETWORKS = env.list("NOTIFICATION_PRIVATE_NETWORKS", default=[])
# Attachments: bytes of one and of a message's together, and what no mail server would take.
ATTACHMENT_MAX_BYTES = env.int("ATTACHMENT_MAX_BYTES", default=10 * 1024 * 1024)
ATTACHMENTS_MAX_BYTES = env.int("ATTACHMENTS_MAX_BYTES", default=20 * 1024 * 1024)
ATTACHMENT_REFUSED_EXTENSIONS = env.str(
    "ATTACHMENT_REFUSED_EXTENSIONS",
    default="ade,adp,apk,appx,bat,cab,chm,cmd,com,cpl,dll,dmg,exe,hta,ins,iso,jar,js,jse,lib,lnk,mde,msc,msi,"
    "msix,msp,mst,nsh,pif,ps1,scr,sct,shb,sys,vb,vbe,vbs,vhd,vxd,wsc,wsf,wsh",
).split(",")
# Every web and worker process must reach it.
ATTACHMENTS_ROOT = env.str("ATTACHMENTS_ROOT", default="") or str(CARILLON_HOME / "attachments")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    "attachments": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": ATTACHMENTS_ROOT, "allow_overwrite": True},
    },
}
# A batch is handed to the broker this many chunks at a time, so that others are not kept waiting behind it.
NOTIFICATION_RELEASE_WINDOW = env.int("NOTIFICATION_RELEASE_WINDOW", default=8)
IDEMPOTENCY_HOURS = env.int("IDEMPOTENCY_HOURS", default=24)
# Whose tokens people may show instead of a recipient's: a list in JSON, see `tenants.oidc.Issuer`.
OIDC_ISSUERS = env.str("OIDC_ISSUERS", default="[]")

# Pages of any origin may call the user API, as they may open sockets: a token counts there, and no cookie.
CORS_URLS_REGEX = r"^/api/v1/users/me/"
CORS_ALLOW_ALL_ORIGINS = True
CORS_ALLOW_HEADERS = ("authorization", "content-type", "last-event-id", "traceparent", "x-request-id")
CORS_EXPOSE_HEADERS = ("retry-after", "x-request-id")
RECIPIENT_TOKEN_SECONDS = env.int("RECIPIENT_TOKEN_SECONDS", default=3600)
# How long a link in a message opens the person's preferences (it unsubscribes for ever), and how often a
# minute one person's pages may be asked for.
PREFERENCE_LINK_DAYS = env.int("PREFERENCE_LINK_DAYS", default=180)
PREFERENCE_PAGES_PER_MINUTE = env.int("PREFERENCE_PAGES_PER_MINUTE", default=60)
# The live feed, a socket: the largest frame it may send, how many a second; how many a recipient may open.
FEED_MAX_FRAME_BYTES = env.int("FEED_MAX_FRAME_BYTES", default=16 * 1024)
FEED_FRAMES_PER_SECOND = env.int("FEED_FRAMES_PER_SECOND", default=50)
FEED_SOCKETS_PER_RECIPIENT = env.int("FEED_SOCKETS_PER_RECIPIENT", default=20)
# Seconds: until who does not take what was written is cut off; between a stream's signs of life; over which a
# web process that ends sends its clients to another.
FEED_PATIENCE_SECONDS = env.float("FEED_PATIENCE_SECONDS", default=30.0)
FEED_HEARTBEAT_SECONDS = env.float("FEED_HEARTBEAT_SECONDS", default=15.0)
FEED_DRAIN_SECONDS = env.float("FEED_DRAIN_SECONDS", default=3.0)
# `id:base64(32 bytes)`, newest first: the first encrypts, all decrypt.
CREDENTIAL_KEYS = env.list("CREDENTIAL_KEYS", default=[])
# As above: addresses that must not be written to are kept as hashes by the first, and found by all.
SUPPRESSION_KEYS = env.list("SUPPRESSION_KEYS", default=[])

# Requests that a web process works on at once, each with a database connection of its own.
WEB_THREADS = env.int("WEB_THREADS", default=8)
# What a scraper of /metrics must show as its bearer token; empty: anybody may read them.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")
DATA_UPLOAD_MAX_MEMORY_SIZE = env.int("MAX_BODY_BYTES", default=10 * 1024 * 1024)
RATE_LIMIT_PER_MINUTE = env.int("RATE_LIMIT_PER_MINUTE", default=60_000)

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["tenants.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["tenants.authentication.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["tenants.rendering.OrjsonRenderer"],
    "DEFAULT_PARSER_CLASSES": ["tenants.parsers.OrjsonParser"],
    "DEFAULT_THROTTLE_CLASSES": ["tenants.throttling.TenantThrottle"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "tenants.problems.exception_handler",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Carillon",
    "DESCRIPTION": "One event, every bell: a self-hosted, multi-tenant notification service.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",  # pydantic's JSON Schema is that of 3.1
    "POSTPROCESSING_HOOKS": ["notifications.api.stream_schema.describe_stream"],
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": [],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
}

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-us"
LOCALE_PATHS = [BASE_DIR / "notifications" / "locale"]  # before other apps' words for the same
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
WHITENOISE_USE_FINDERS = True
X_FRAME_OPTIONS = "DENY"

LOGIN_REDIRECT_URL = "admin:index"
# The admin site: https://unfoldadmin.com/docs/configuration/settings/
UNFOLD = {
    "SITE_TITLE": "Carillon",
    "SITE_HEADER": "Carillon",
    "SITE_SUBHEADER": "One event, every bell",
    "SITE_SYMBOL": "notifications_active",
    "SITE_URL": "/api/docs",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("notifications/bell.svg")}
    ],
    "STYLES": [lambda request: static("tenants/admin.css")],
    "DASHBOARD_CALLBACK": "config.admin.dashboard.context",
    "SIDEBAR": {"show_search": True, "navigation": "config.admin.navigation.sidebar"},
    "BORDER_RADIUS": "8px",
    "COLORS": {
        "primary": {
            "50": "#eef2ff",
            "100": "#e0e7ff",
            "200": "#c7d2fe",
            "300": "#a5b4fc",
            "400": "#818cf8",
            "500": "#6366f1",
            "600": "#4f46e5",
            "700": "#4338ca",
            "800": "#3730a3",
            "900": "#312e81",
            "950": "#1e1b4b",
        },
    },
}

LOG_LEVEL = env.str("LOG_LEVEL", default="INFO")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "tenants.logging.LineFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
}
