"""Twilio's Messages API: what SMS and WhatsApp by it share. `import twilio` is the vendor's own package.

Sending: https://www.twilio.com/docs/messaging/api/message-resource
Status callbacks: https://www.twilio.com/docs/messaging/guides/track-outbound-message-status
Replies: https://www.twilio.com/docs/messaging/guides/webhook-request
Signatures: https://www.twilio.com/docs/usage/security#validating-requests
Error codes: https://www.twilio.com/docs/api/errors
"""
