"""Who may call the gateway: under which host name, from which web page, with which key."""
