from django.urls import path

from delivery.views import ReceiptView

urlpatterns = [path("<slug:provider>/<uuid:account_id>", ReceiptView.as_view(), name="receipts")]
