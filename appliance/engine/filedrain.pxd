import cython

from appliance.model.app cimport FileObject, Parser, Transaction

cdef class FileDrain:
    cdef public bint patient, recorded
    cdef long long _stored
    cpdef adopt(self, FileDrain old)
    @cython.locals(file=FileObject, undecided=bint)
    cpdef files(self, flow, Transaction tx, Parser parser, long long now, packet, list events, bint inspected)
    @cython.locals(last=bint)
    cpdef _drain(self, FileObject file, long long now, list events)
