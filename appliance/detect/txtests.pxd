cimport cython
from appliance.detect.context cimport Context
from appliance.detect.steps cimport inspect
from appliance.model.app cimport FileObject

cdef int ABORT, COMPLETE, MATCH, NO

cdef class Turns:
    cdef long long last
    cpdef long long take(self) noexcept

cdef Turns _TURNS

cdef class Place:
    cdef public object get, owner
    cdef public int progress
    cdef public bint growing, whole
    cdef public long long turn
    cdef public object value

cdef class BufferKey:
    cdef public int number
    cdef public str name, label
    cdef public tuple changes
    cdef public bint from_files
    cdef public dict specs
    cdef dict _places
    cdef list _asked, _known
    cpdef Place place(self, str protocol, int direction)
    cpdef fetch(self, tx, Place place, int direction)
    cpdef _transformed(self, value)

cdef class TxView:
    cdef public object tx, source
    cdef public int direction, progress
    cdef public bint final
    cdef public str protocol
    cdef public list app_events
    cdef long long _turn
    cpdef turn_to(self, tx, int progress, int direction, str protocol, list app_events)
    cpdef TxView other(self)
    cpdef value(self, BufferKey key, Place place)
    cpdef tuple payload(self)

cdef class TxTest:
    cpdef bint repeats(self, TxView view) except -1
    cpdef int check(self, TxView view, Context ctx) except? -9

cdef class BufferTest(TxTest):
    cdef public BufferKey key
    cdef public list chain
    cdef public bint absent, looks, or_else
    cdef public set only
    @cython.locals(place=Place, final=bint, whole=bint, later=int)
    cpdef int check(self, TxView view, Context ctx) except? -9

cdef class ValueTest(TxTest):
    cdef public str keyword, which
    cdef public object comparison, argument
    cdef public bint negated
    cdef public dict specs
    @cython.locals(final=bint, held=bint)
    cpdef int check(self, TxView view, Context ctx) except? -9
    cpdef bint _holds(self, value, spec) except -1

cdef class EventTest(TxTest):
    cdef public str name
    cpdef int check(self, TxView view, Context ctx) except? -9

cdef class PayloadTest(TxTest):
    cdef public list chain
    cpdef int check(self, TxView view, Context ctx) except? -9

cdef class FileCondition:
    cpdef int check(self, FileObject file, Context ctx) except? -9

cdef class FileTest(TxTest):
    cdef public list conditions
    cdef public bint store
    cdef public set only
    @cython.locals(file=FileObject)
    cpdef bint repeats(self, TxView view) except -1
    @cython.locals(waiting=bint, answer=int, file=FileObject)
    cpdef int check(self, TxView view, Context ctx) except? -9
    @cython.locals(condition=FileCondition, answer=int)
    cpdef int _check_file(self, FileObject file, Context ctx) except? -9
