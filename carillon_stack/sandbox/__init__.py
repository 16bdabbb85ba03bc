"""Sandbox providers: they take messages as the real ones do, and keep them for you to look at.

One process plays an SMTP server, Firebase Cloud Messaging and Twilio. An emulator speaks its
provider's protocol (`emulator.py` is the contract); every message it is handed passes through the
`Reception`, where faults made on purpose happen, into the `MessageStore`, which has it on disk
before the provider's success is answered. Data flows one way:

    smtp | fcm | twilio  →  reception (faults)  →  store  →  journal (disk)
                                                     ↓
                                          api (JSON), inbox (page)
"""
