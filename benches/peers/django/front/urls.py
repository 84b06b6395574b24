from django.contrib.auth.views import LoginView
from django.urls import path

from . import views

urlpatterns = [
    path("home", views.home, name="home"),
    path("login", LoginView.as_view(), name="login"),
]
