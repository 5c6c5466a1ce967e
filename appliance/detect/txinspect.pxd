cimport cython
from appliance.detect.context cimport Context
from appliance.detect.ends cimport Ends
from appliance.detect.matchers cimport Matcher
from appliance.detect.signature cimport Signature
from appliance.detect.state cimport FlowDetect, RuleState, TxDetect, TxSide
from appliance.detect.txgroup cimport TxEntry, TxGroup, TxScope
from appliance.detect.txtests cimport TxTest, TxView
from appliance.model.app cimport AppState, Parser, Transaction
from appliance.model.flow cimport Flow

cdef int ABORT, MATCH, NO

cdef class TxInspector:
    cdef object _ruleset, _packets, _profile
    cdef Ends _ends
    cdef Context _ctx
    cdef dict _event_rules
    cdef list _signatures, _ranks, _groups
    cdef Py_ssize_t _limit
    cdef TxView _view
    @cython.locals(ctx=Context, app=AppState)
    cpdef inspect(self, FlowDetect state, allowed, list found)
    @cython.locals(ctx=Context, direction=int, scope=TxScope, looked=Py_ssize_t, transactions=list, tx=Transaction)
    cpdef _parser(self, Parser parser, str protocol, FlowDetect state, allowed, list found)
    @cython.locals(direction=int, known=TxScope)
    cpdef TxScope _scope(self, str protocol, FlowDetect state)
    @cython.locals(groups=dict, found=TxGroup)
    cpdef TxGroup _group(self, str protocol, int direction)
    @cython.locals(ctx=Context, view=TxView, state=TxDetect, side=TxSide)
    cpdef _transaction(self, Transaction tx, TxScope scope, allowed, list found)
    @cython.locals(view=TxView, tables=list, entry=TxEntry, index=Py_ssize_t, tests=list)
    cpdef _collect(self, TxDetect state, TxSide side, TxScope scope)
    @cython.locals(test=TxTest)
    cpdef bint _fails(self, list tests) except -1
    @cython.locals(found=tuple)
    cpdef _search(self, TxEntry entry, TxDetect state, TxSide side, TxScope scope)
    @cython.locals(known=tuple, values=list, number=Py_ssize_t, size=Py_ssize_t, grown=bint)
    cpdef _search_growing(self, TxEntry entry, value, TxDetect state, TxSide side, TxScope scope)
    cpdef _by_event(self, TxDetect state, TxSide side, TxScope scope)
    @cython.locals(signature=Signature, app=AppState, events=list)
    cpdef _parser_events(self, FlowDetect state, allowed, list found)
    @cython.locals(index=Py_ssize_t)
    cpdef _admit_all(self, tuple found, TxDetect state, TxSide side, TxScope scope)
    @cython.locals(signature=Signature, waiting=dict)
    cpdef _admit(self, Py_ssize_t index, TxDetect state, TxSide side, TxScope scope)
    @cython.locals(waiting=dict, order=list, rule=RuleState, signature=Signature, answer=int, fed=cython.longlong)
    cpdef _evaluate(self, TxDetect state, TxSide side, allowed, list found)
    cpdef int _profiled(self, Signature signature, RuleState rule) except? -9
    @cython.locals(ctx=Context, view=TxView, test=TxTest, matcher=Matcher, answer=int, waiting=bint)
    cpdef int _try(self, Signature signature, RuleState rule) except? -9

cpdef bint _events_alone(Signature signature) except -1
