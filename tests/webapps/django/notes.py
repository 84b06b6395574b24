"""A Django app that leaves the log-in to its front door: each user keeps notes in a session of Django's own.

For tests/it/front_check. `gunicorn notes:application`, with NOTES_HOST and NOTES_DATABASE in the environment.
"""

import os
from urllib.parse import unquote

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="only-for-tests-0123456789-abcdefghijklmnopqrstuvwxyz",
    ALLOWED_HOSTS=[os.environ["NOTES_HOST"]],
    ROOT_URLCONF="notes",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "notes.FrontDoorMiddleware",
    ],
    AUTHENTICATION_BACKENDS=["notes.FrontDoorBackend"],
    # Behind https, Django compares the origin of a form with this scheme.
    SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https"),
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["NOTES_DATABASE"]}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
    USE_TZ=True,
)
django.setup()

from django.contrib.auth.backends import RemoteUserBackend
from django.contrib.auth.middleware import RemoteUserMiddleware
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template import engines
from django.urls import path

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Notes</title></head>
<body><main data-page="notes">
<h1>{% if user.is_authenticated %}Hello, {{ user.first_name }}{% else %}Hello, visitor{% endif %}</h1>
<p>Your id: <code id="user">{{ user.get_username }}</code></p>
<p>Your address: <code id="email">{{ user.email }}</code></p>
<p>Your groups: <code id="groups">{{ groups }}</code></p>
<ul>{% for note in notes %}<li>{{ note }}</li>{% endfor %}</ul>
<form method="post" action="/">{% csrf_token %}
<label for="note">Note</label> <input id="note" name="note"> <button>Save</button>
</form>
<p><a href="/.latchkey/out">Leave</a></p>
</main></body></html>"""


class FrontDoorMiddleware(RemoteUserMiddleware):
    # The request header Remote-User. Django's default is a variable of the web server instead.
    header = "HTTP_REMOTE_USER"


class FrontDoorBackend(RemoteUserBackend):
    def configure_user(self, request, user, created=True):
        user.first_name = unquote(request.META.get("HTTP_REMOTE_NAME", ""))
        user.email = unquote(request.META.get("HTTP_REMOTE_EMAIL", ""))
        user.save()
        return user


def notes(request):
    if request.method == "POST":
        request.session["notes"] = [*request.session.get("notes", []), request.POST["note"]]
        return redirect("/")
    shown = {
        "user": request.user,
        "groups": request.META.get("HTTP_REMOTE_GROUPS", ""),
        "notes": request.session.get("notes", []),
    }
    return HttpResponse(engines["django"].from_string(PAGE).render(shown, request))


urlpatterns = [path("", notes), path("public", notes), path("editors", notes)]

application = get_wsgi_application()
call_command("migrate", verbosity=0)
