"""How others hear that what decides about recipients has changed.

`preferences_changed` is sent inside the transaction that changed it, with the rows of the recipients locked:
`sender=Recipient, tenant_id: UUID, recipient_ids: Sequence[UUID] | None`; None: about all of the tenant's.
"""

from django.dispatch import Signal

preferences_changed = Signal()
