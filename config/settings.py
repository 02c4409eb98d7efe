"""Settings of every process, from the environment (docs/configuration.md names each variable).

`manage.py up` keeps what it makes up itself (keys, the addresses of the embedded servers) in
`$TOLLGATE_DATA/env`, so that other commands find the same installation. The environment goes first.
"""

import os
import sys
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

ROOT = Path(__file__).resolve().parent.parent

env = environ.Env()
DATA = Path(env.str("TOLLGATE_DATA", default=str(ROOT / ".tollgate"))).resolve()
if (DATA / "env").is_file():
    env.read_env(DATA / "env")

DEBUG = env.bool("DEBUG", default=False)


def required(name: str, *, in_debug: str) -> str:
    """A value that has no safe default: `in_debug` serves only where DEBUG is on."""
    value: str = env.str(name, default="")
    if value and (DEBUG or value != in_debug):
        return value
    if DEBUG:
        return in_debug
    raise ImproperlyConfigured(
        f"{name} is not set to a value of its own. Set it in the environment, or let `make run` make one."
    )


# Secrets. The vault's keys are "id:base64 of 32 bytes", newest first; the others only decrypt.
SECRET_KEY = required("SECRET_KEY", in_debug="insecure-key-for-debugging-only")
VAULT_KEYS = required("TOLLGATE_VAULT_KEYS", in_debug="debug:ZGVidWdnaW5nLW9ubHktbm90LWEtcmVhbC1rZXktISE=")

# Where the world sees us.
PUBLIC_URL: str = env.str("TOLLGATE_URL", default="http://localhost:8000").rstrip("/")
IS_HTTPS = PUBLIC_URL.startswith("https://")
ALLOWED_HOSTS = env.list(
    "ALLOWED_HOSTS", default=sorted({urlsplit(PUBLIC_URL).hostname or "localhost", "localhost", "127.0.0.1", "[::1]"})
)
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
USE_X_FORWARDED_HOST = False
TRUSTED_PROXIES = env.list("TOLLGATE_TRUSTED_PROXIES", default=[])  # networks whose X-Forwarded-For is believed

INSTALLED_APPS = [
    "apps.kit",
    "apps.accounts",
    "apps.customers",
    "apps.keys",
    "apps.limits",
    "apps.pricing",
    "apps.usage",
    "apps.billing",
    "apps.exports",
    "apps.analyses",
    "apps.bodies",
    "apps.alerts",
    "apps.proxy",
    "apps.ingest",
    "apps.console",
    "apps.portal",
    "apps.api",
    "apps.ops",
    "allauth",
    "allauth.account",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",  # the files of the API's page: nothing is loaded from elsewhere
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.forms",
]

MIDDLEWARE = [
    "apps.ops.health.HealthMiddleware",
    "apps.kit.client_address.put_client_address",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "apps.accounts.middleware.remember_client",
    "apps.accounts.middleware.ThrottleMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

# PostgreSQL and Redis.
DATABASES = {"default": env.db_url("DATABASE_URL", default="")}
if not DATABASES["default"]:
    raise ImproperlyConfigured("DATABASE_URL is not set. Set it, or let `make run` start a PostgreSQL of its own.")
DATABASES["default"]["CONN_MAX_AGE"] = 600
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DATABASES["default"].setdefault("OPTIONS", {}).setdefault("connect_timeout", 5)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.str("REDIS_URL", default="")
if not REDIS_URL:
    raise ImproperlyConfigured("REDIS_URL is not set. Set it, or let `make run` start a Redis of its own.")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "tollgate:cache",
    }
}
REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": [],  # each view says whom it knows
    "UNAUTHENTICATED_USER": None,
    "EXCEPTION_HANDLER": "apps.api.errors.in_openais_shape",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "URL_FORMAT_OVERRIDE": None,  # `format` is a parameter like any other
}
API_RATE = env.int("TOLLGATE_API_RATE", default=600)  # requests a minute with one API token
SPECTACULAR_SETTINGS = {
    "OAS_VERSION": "3.1.0",
    "TITLE": "Tollgate",
    "VERSION": "1",
    "DESCRIPTION": (
        "Usage, requests, customers, keys, limits and billing, for programs. Come with an API token "
        "(`Authorization: Bearer tg_api_…`), made in the console or the portal. A customer's token shows that "
        "customer alone, and neither cost nor margin.\n\nMoney is in USD, exact, as strings. Times are RFC 3339, in "
        "UTC. Lists are paged by cursor: send `next` as `cursor`. Errors are RFC 9457."
    ),
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "PREPROCESSING_HOOKS": ["apps.api.v1.schema.only_ours"],
    "SORT_OPERATION_PARAMETERS": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "SERVERS": [{"url": "/"}],
    "ENUM_NAME_OVERRIDES": {  # fields of one name with different choices
        "AlertMetric": "apps.api.v1.enums.ALERT_METRICS",
        "ChargeMetric": "apps.api.v1.enums.CHARGE_METRICS",
        "IncludedMetric": "apps.api.v1.enums.INCLUDED_METRICS",
        "WalletSettlement": "apps.api.v1.enums.WALLET_SETTLEMENTS",
        "PlanSettlement": "apps.api.v1.enums.PLAN_SETTLEMENTS",
        "CreditNoteSettlement": "apps.api.v1.enums.CREDIT_NOTE_SETTLEMENTS",
        "InvoiceState": "apps.api.v1.enums.INVOICE_STATES",
        "MailingState": "apps.api.v1.enums.MAILING_STATES",
        "RefundState": "apps.api.v1.enums.REFUND_STATES",
    },
}
SILENCED_SYSTEM_CHECKS = [
    "django_ratelimit.W001",  # it doesn't know Django's own Redis cache, which is atomic
    "auth.W004",  # e-mail addresses are unique, in whatever case: by a constraint that the check doesn't see
]

# Background work.
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"global_keyprefix": "tollgate:celery:", "visibility_timeout": 3600}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TIMEZONE = "UTC"

# Accounts.
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_ADAPTER = "apps.accounts.adapter.AccountAdapter"
ACCOUNT_FORMS = {"signup": "apps.accounts.forms.SignUpForm"}
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
SIGN_UP_IS_OPEN = env.bool("TOLLGATE_SIGN_UP", default=True)
ACCOUNT_EMAIL_VERIFICATION = env.str(  # who has no mail server yet must get in without
    "TOLLGATE_EMAIL_VERIFICATION", default="mandatory" if env.str("EMAIL_URL", default="") else "optional"
)
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
INVITATION_LIFETIME = timedelta(days=7)

# Fonts of PDFs, as paths of files: regular, bold, others for what those lack; none: see billing/documents/fonts.py.
DOCUMENT_FONTS = env.list("TOLLGATE_DOCUMENT_FONTS", default=[])

# E-mail: printed unless EMAIL_URL says where to send it.
EMAIL = env.email_url("EMAIL_URL", default="consolemail://")
vars().update(EMAIL)
if EMAIL["EMAIL_BACKEND"] == "django.core.mail.backends.console.EmailBackend":
    EMAIL_BACKEND = "apps.kit.mail.StderrBackend"
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Tollgate <tollgate@localhost>")

# Browsers.
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_HTTPS
SESSION_COOKIE_NAME = "__Host-session" if IS_HTTPS else "tollgate_session"
CSRF_COOKIE_NAME = "__Host-csrf" if IS_HTTPS else "tollgate_csrf"
CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_HSTS_SECONDS = 31_536_000 if IS_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = IS_HTTPS
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if env.bool("TOLLGATE_BEHIND_TLS_PROXY", default=False):  # declared, or anyone could claim https
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
    }
}

# Files of ours that browsers get.
STATIC_URL = "/static/"
STATIC_ROOT = DATA / "static"
STATICFILES_DIRS = [ROOT / "static"]
IS_TESTING = "pytest" in sys.modules or env.bool("TOLLGATE_TESTING", default=False)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG or IS_TESTING
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = DEBUG or IS_TESTING  # looked for when asked for, not listed before

# Language and time: stored in UTC, shown in the organization's zone.
LANGUAGE_CODE = "en"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

# The proxy. Ages are in seconds, sizes in bytes.
SPOOL_DIRECTORY = Path(env.str("TOLLGATE_SPOOL", default=str(DATA / "spool")))
SPOOL_RETENTION = timedelta(seconds=env.int("TOLLGATE_SPOOL_RETENTION", default=86_400))  # kept once shipped

# How much of usage is kept, and how finely, where an organization has no values of its own (docs/usage.md). Days: at
# least 2; 0 is for ever.
USAGE_KEEPING = {
    "most_end_users": env.int("TOLLGATE_MOST_END_USERS", default=200_000),  # a day, of an organization
    "most_property_values": env.int("TOLLGATE_MOST_PROPERTY_VALUES", default=50_000),
    "requests_days": env.int("TOLLGATE_KEEP_REQUESTS", default=0),
    "hours_days": env.int("TOLLGATE_KEEP_HOURS", default=0),
    "days_days": env.int("TOLLGATE_KEEP_DAYS", default=0),
}
BODY_SPOOL_DIRECTORY = Path(env.str("TOLLGATE_BODY_SPOOL", default=str(SPOOL_DIRECTORY / "bodies")))
BODY_SPOOL_BYTES = env.int("TOLLGATE_BODY_SPOOL_BYTES", default=1024**3)  # of a process: what is more is dropped
BODY_QUEUE_BYTES = env.int("TOLLGATE_BODY_QUEUE_BYTES", default=32 * 1024 * 1024)  # of its memory
WEB_ORIGIN = env.str("TOLLGATE_WEB_ORIGIN", default="")  # where the proxy's port sends what isn't for a provider
GRANT_MAX_AGE_CAPPED = env.int("TOLLGATE_GRANT_MAX_AGE_CAPPED", default=120)
GRANT_MAX_AGE = env.int("TOLLGATE_GRANT_MAX_AGE", default=900)
PROXY_MAX_BODY = env.int("TOLLGATE_MAX_BODY", default=25 * 1024 * 1024)
PROXY_MAX_UPLOAD = env.int("TOLLGATE_MAX_UPLOAD", default=64 * 1024 * 1024)
PROXY_OBJECTS_KEPT = env.int("TOLLGATE_OBJECTS_KEPT", default=30 * 86_400)  # who made a response or conversation
PROXY_BACKGROUND_MOST = env.float("TOLLGATE_BACKGROUND_MOST", default=86_400)  # s that a response may go on
BACKGROUND_LEASE = env.float("TOLLGATE_BACKGROUND_LEASE", default=45)  # s that one belongs to a process
PROXY_DRAIN_SECONDS = env.float("TOLLGATE_DRAIN_SECONDS", default=300.0)  # of answers whose client has gone
PROXY_DRAIN_BYTES = env.int("TOLLGATE_DRAIN_BYTES", default=8 * 1024 * 1024)
PROXY_TOKENIZERS = env.str("TOLLGATE_TOKENIZERS", default="")  # a folder of models' tokenizer.json files
PROXY_FIRST_BYTE_TIMEOUT = env.float("TOLLGATE_FIRST_BYTE_TIMEOUT", default=600.0)
PROXY_IDLE_TIMEOUT = env.float("TOLLGATE_IDLE_TIMEOUT", default=300.0)
EXPORT_RETENTION = timedelta(days=env.int("TOLLGATE_EXPORT_DAYS", default=7))  # then a file is deleted
SENT_MAX_AGE = timedelta(days=env.int("TOLLGATE_SENT_MAX_AGE_DAYS", default=90))  # of usage that is sent

# Webhooks go to addresses of the open internet alone, but for these networks of one's own ("10.1.0.0/16").
WEBHOOK_NETWORKS = env.list("TOLLGATE_WEBHOOK_NETWORKS", default=[])
DELIVERIES_AT_ONCE = env.int("TOLLGATE_DELIVERIES_AT_ONCE", default=2)  # alerts on their way, of all workers

SANDBOX_URL = env.str("TOLLGATE_SANDBOX_URL", default="")

# Payments: an organization enters its Stripe keys in the console. Those of one may come from here instead.
STRIPE_ORGANIZATION = env.str("TOLLGATE_STRIPE_ORGANIZATION", default="")  # its slug
STRIPE_SECRET_KEY = env.str("TOLLGATE_STRIPE_SECRET_KEY", default="")
STRIPE_WEBHOOK_SECRET = env.str("TOLLGATE_STRIPE_WEBHOOK_SECRET", default="")
STRIPE_API_BASE = env.str("TOLLGATE_STRIPE_API", default="")  # another address than Stripe's: a fake one, for tests

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": os.environ.get("LOG_LEVEL", "INFO")},
    "loggers": {"fontTools": {"level": "ERROR"}, "fpdf": {"level": "ERROR"}},  # they tell of every font in every PDF
}
