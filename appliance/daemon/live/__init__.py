"""The appliance at work: one supervisor, its workers, the reporter, and how they are spoken to."""
