cimport cython

from appliance.model.tcp cimport TcpSegment
from appliance.stream.overlap cimport new_wins


@cython.locals(low=Py_ssize_t, high=Py_ssize_t, middle=Py_ssize_t, segment=TcpSegment)
cpdef Py_ssize_t find(list segments, long long position)

@cython.locals(data=bytes, skip="long long")
cpdef bytes part(TcpSegment segment, long long start, long long stop)

@cython.locals(piece=TcpSegment, data=bytes)
cpdef TcpSegment cut(TcpSegment segment, long long start, long long stop)

cpdef bint differs(TcpSegment segment, long long start, long long stop, bytes data, long long base)

@cython.locals(index=Py_ssize_t, outcome=int, segment=TcpSegment, end="long long")
cpdef int compare(list segments, bytes data, long long base, long long start, long long stop)

@cython.locals(index=Py_ssize_t, segment=TcpSegment, low="long long", high="long long")
cpdef bint overlaps_differently(list segments, bytes data, long long base, long long start, long long stop)

@cython.locals(index=Py_ssize_t, segment=TcpSegment, low="long long", high="long long")
cpdef overlay(list segments, bytearray data, long long base, long long start, long long stop)

@cython.locals(begin=Py_ssize_t, index=Py_ssize_t, cursor="long long", out=list, grown="long long", old=TcpSegment)
cpdef long long insert(list segments, TcpSegment new, bytes rule)

@cython.locals(low="long long", high="long long")
cpdef _merge(list out, TcpSegment old, TcpSegment new, bytes rule)
