"""The kernel's part of the inline datapath: what should be there, and how it gets there.

:func:`appliance.kernel.plan.desired` says, as plain values, what the kernel should hold for a set of
ports and policies. A :class:`appliance.kernel.base.Driver` brings the kernel there, notices when
somebody else changed it, and takes everything back. ``docs/design/inline.md`` says which part decides what.
"""
