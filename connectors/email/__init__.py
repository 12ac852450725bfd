"""E-mail, so far as it needs no server: reading a mail, telling what was written from what is quoted, whose
conversation it belongs to, whether a robot wrote it, and how far its sender is to be trusted. All of it is pure, and
none of it raises for what a mail holds. There is no channel yet: nothing is fetched and nothing is sent."""
