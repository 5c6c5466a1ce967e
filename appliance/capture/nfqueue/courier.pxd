cimport cython

cdef extern from *:
    """
    #include <errno.h>
    #include <sys/socket.h>

    /* Send each message of one socket on another, until the first is closed. The counts are read by the thread
       that hands over; what comes after a failure is taken and dropped, so that it never waits for room. */
    static CYTHON_INLINE void ew_carry(int from, int to, volatile long long *done, volatile int *failed)
    {
        char data[16384];
        ssize_t size;
        Py_BEGIN_ALLOW_THREADS
        while ((size = recv(from, data, sizeof data, 0)) > 0 || (size < 0 && errno == EINTR)) {
            if (size < 0 || *failed) continue;
            ssize_t sent;
            do sent = send(to, data, (size_t)size, 0); while (sent < 0 && errno == EINTR);
            if (sent < 0) __atomic_store_n(failed, errno, __ATOMIC_RELEASE);
            else __atomic_add_fetch(done, 1, __ATOMIC_RELEASE);
        }
        Py_END_ALLOW_THREADS
    }
    """
    void carry "ew_carry"(int source, int target, volatile long long *done, volatile int *failed)

cdef class Courier:
    cdef object _target, _near, _far, _thread
    cdef int _fd
    cdef volatile long long _given, _done
    cdef volatile int _failed
    cpdef send(self, bytes data, bint later)
    cpdef drain(self)
