"""What both web pages stand on: JSON and events on the wire, a guard, a server, a look; it knows no page."""
