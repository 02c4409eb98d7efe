"""Django over WSGI: console, portal, sign-in, admin. Provider paths never come here; see asgi.py."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_wsgi_application()
