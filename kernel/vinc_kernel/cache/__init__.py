"""What is cached, and how every worker drops it when it changes.

Each cache is a topic with a version in the table `vinc_change`, which a change raises in its own transaction. Every
worker polls all versions twice a second, clears the caches whose version is new, and uses nothing cached while it
cannot read them. Redis, where there is one, tells the other workers at once which keys changed; a message that gets
lost costs a second at most.
"""
