cimport cython


@cython.locals(case=int)
cpdef bint new_wins(bytes rule, long long first, long long last, long long old_first, long long old_last)
