"""What is cached, and how every worker forgets it when it changes.

Each cache is a topic with a number in PostgreSQL, `vinc_change`, which a change raises in its own transaction. A
message tells the other workers at once which keys changed. Every worker reads all numbers twice a second besides, so
that a lost message costs a second at most, and it believes nothing that is cached while it cannot read them.
"""
