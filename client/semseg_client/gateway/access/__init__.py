"""Who may call the gateway: by which host, from which web page, with which key."""
