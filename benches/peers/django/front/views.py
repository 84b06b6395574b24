import os

from django.contrib.auth.decorators import login_required
from django.shortcuts import render

FILLER = "x" * int(os.environ["PAGE_FILLER"])


@login_required
def home(request):
    return render(request, "home.html", {"filler": FILLER})
