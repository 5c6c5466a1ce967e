cimport cython

cdef int _COMPLETE
cdef long long _NEVER

cdef class FileObject:
    cdef public long long file_id, tx_id, size, start, inspected, store_id
    cdef public int direction
    cdef public bytes name
    cdef public bytearray data
    cdef public str state, magic, md5, sha1, sha256
    cdef public bint gaps, store, stored, logged
    cdef public object hashes, spool
    cdef public tuple range
    cdef public set chosen
    cpdef begin(self, long long file_id, bytes name, int direction, long long tx_id)

cdef class Transaction:
    cdef public long long id, created
    cdef public list progress, events, files, skip
    cdef public int logged, reported
    cdef public object inspected, matched
    cdef public bint updated
    cdef _set_up(self, long long tx_id)
    cpdef buffer(self, str name, int direction)
    cpdef value(self, str name)
    cpdef bint early(self) except -1
    cpdef bint over(self, bint inspected) except -1
    @cython.locals(asked=int, answered=int)
    cpdef bint both_complete(self) except -1

cdef class Frame:
    cdef public str name
    cdef public int direction
    cdef public long long offset, length, number, tx_id, seen
    cdef public set rules

cdef class Parser:
    cdef public object settings, carry, wanted_frames
    cdef public list transactions, events, expect, frames, received
    cdef list _frame_count
    cdef long long[2] after_end
    cdef public long long next_tx, counted_tx, closed_tx, now
    cdef public bint failed, counted, bypass
    cdef public str failure, upgrade, known_as
    cdef public tuple upgrade_data
    cdef _set_up(self, settings)
    cpdef open(self, flow, app, carried)
    cpdef data(self, int direction, bytes chunk)
    @cython.locals(tx=Transaction)
    cpdef end(self, int direction)
    cpdef cut(self, int direction)
    @cython.locals(tx=Transaction)
    cpdef drop_done(self, bint inspected)

cdef class AppState:
    cdef public str proto, counted, ts, tc, orig, expected
    cdef public Parser parser, previous
    cdef public bint resuming
    cdef public int changes, first, tries
    cdef public Py_ssize_t reported, files
    cdef public list probe, events, done, ends, fed, position, settled
    cdef public tuple announced
