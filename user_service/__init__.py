"""Who can be notified: users, contact addresses, devices and preferences."""
