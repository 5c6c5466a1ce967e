cimport cython

cdef extern from *:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <errno.h>
    #include <sys/socket.h>

    /* recvmmsg(2) that does not wait, on headers at an address; minus the error number where it fails. Too
       short a call to be worth giving the interpreter away: it might be gone for milliseconds. */
    static CYTHON_INLINE int ew_receive(int fd, size_t headers, int most)
    {
        int got = recvmmsg(fd, (struct mmsghdr *)headers, (unsigned int)most, MSG_DONTWAIT, NULL);
        return got < 0 ? -errno : got;
    }
    """
    int c_receive "ew_receive"(int fd, size_t headers, int most)

cdef Py_ssize_t _STRIDE, _LEN, _FLAGS, _NAMELEN, _CONTROLLEN
cdef int _AGAIN, _INTERRUPTED

cdef class Batch:
    cdef readonly Py_ssize_t count, size, control, name
    cdef readonly bytearray data, controls, names
    cdef readonly object view
    cdef object _iovecs, _headers
    cdef unsigned int[:] _numbers
    cdef size_t _address
    @cython.locals(at=Py_ssize_t)
    cdef _reset(self, Py_ssize_t count)
    @cython.locals(got=int)
    cpdef int receive(self, int fd, int most) except -1
    cdef int _ask(self, int fd, int most) except? -1
    cpdef done(self, Py_ssize_t count)
    cpdef Py_ssize_t length(self, Py_ssize_t index) except -1
    cpdef bint cut(self, Py_ssize_t index) except -1
    cpdef Py_ssize_t control_size(self, Py_ssize_t index) except -1
