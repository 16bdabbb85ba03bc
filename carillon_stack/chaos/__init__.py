"""Breaking things on purpose: real load, real faults, and an account of every notification.

    schedule (data, from a seed)  →  injector (the hand that breaks and mends)
    orders   (data, from a seed)  →  load     (sends, and asks again for lost answers)
                                        ↓
               settling  →  inbox | statuses  →  comparison (lost, repeated, contradicted)
                                                    ↓
                                                 report

Everything happens inside a stack of its own; all moments are seconds since the load began.
"""
