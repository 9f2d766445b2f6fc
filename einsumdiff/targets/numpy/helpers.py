"""Functions that generated NumPy source brings along where it needs them."""

HELPERS = {
    "_strided": '''
def _strided(a, start, shape, steps):
    """A view of a: from start, axis n moves steps[n] along the axes of a. It must stay inside."""
    if 0 not in shape:
        for k, size in enumerate(a.shape):
            moves = [(count - 1) * step[k] for count, step in zip(shape, steps)]
            low, high = start[k] + sum(min(m, 0) for m in moves), start[k] + sum(max(m, 0) for m in moves)
            if low < 0 or high >= size:
                raise ValueError(f"axis {k} of an array of shape {a.shape} is too short")
    strides = [sum(s * t for s, t in zip(step, a.strides)) for step in steps]
    corner = a[tuple(slice(s, None) for s in start)]
    return np.lib.stride_tricks.as_strided(corner, shape, strides)
''',
    "_gram": '''
def _gram(a, order, shape):
    """The product of a matrix with its own transpose: of a with its axes in that order, in that shape."""
    a = a.transpose(order).reshape(shape)
    return a @ a.T
''',
    "_by_panels": '''
def _by_panels(function, a, b, out=None):
    """function(a, b) of matrices of which one lies in memory by columns, a power of two apart.

    Then all of a row are at one place of the cache. 64 rows of it are copied at a time, to elsewhere.
    """
    by_columns = [x.strides[0] < x.strides[1] for x in (a, b)]
    other = a if by_columns[0] else b
    near = by_columns[0] != by_columns[1] and other.strides[1] % 2048 == 0
    if not near or (out is not None and np.may_share_memory(other, out)):
        return function(a, b, out=out)
    if out is None:
        out = np.empty(a.shape, np.result_type(a, b))
    held = np.empty((a.shape[1], 72), out.dtype)
    for k in range(0, len(a), 64):
        panels = [a[k:k + 64], b[k:k + 64]]
        turned = held[:, :len(panels[0])]
        turned[...] = panels[by_columns[1]].T
        panels[by_columns[1]] = turned.T
        function(*panels, out=out[k:k + 64])
    return out
''',
    "_window": '''
def _window(a, start, shape, strides):
    """A view of a, which is contiguous: from the entry at start, in strides of bytes. It must stay inside."""
    if 0 in shape:
        return np.empty(shape, a.dtype)
    return np.ndarray(shape, a.dtype, a, a.itemsize*start, strides)
''',
    "_read_only": '''
def _read_only(a):
    """A number as an array that cannot be written into."""
    a = np.asarray(a).view()
    a.setflags(False)
    return a
''',
    "_gather": '''
def _gather(a, *places):
    """a[places]; a place outside is read at the nearest inside, for a condition to throw away."""
    if a.size == 0:
        return np.zeros(np.broadcast_shapes(*map(np.shape, places)), a.dtype)
    return a[tuple(np.clip(place, 0, size - 1) for place, size in zip(places, a.shape))]
''',
    "_scatter": '''
def _scatter(a, value, *places):
    """a[places] += value, adding up where places meet; the value of a place outside is 0."""
    if a.size:
        places = tuple(np.clip(place, 0, size - 1) for place, size in zip(places, a.shape))
        np.add.at(a, places, value)
''',
    "_add_at": '''
def _add_at(index, value, shape, dtype):
    """Zeros of that shape, with value[k] added at index[k] of the first axis for every k."""
    result = np.zeros(shape, dtype)
    np.add.at(result, index, value)
    return result
''',
    "_one_hot": '''
def _one_hot(index, size, dtype):
    """With a last axis of that size: 1 at the place index, 0 elsewhere."""
    result = np.zeros((*np.shape(index), size), dtype)
    np.put_along_axis(result, np.asarray(index)[..., None], 1, axis=-1)
    return result
''',
    "_logsumexp": '''
def _logsumexp(a, axis):
    """log(sum(exp(a))) along the axis (or axes), with the largest entry taken out."""
    top = a.max(axis=axis, keepdims=True)
    if np.vdot(top, top) < np.inf or np.isfinite(top).all():  # the one is quicker, and may overflow
        return np.log(np.exp(a - top).sum(axis=axis)) + top.squeeze(axis)
    top = np.where(np.isfinite(top), top, np.zeros_like(top))
    with np.errstate(divide="ignore"):
        return np.log(np.exp(a - top).sum(axis=axis)) + top.squeeze(axis)
''',
    "_sigmoid": '''
def _sigmoid(a):
    """1/(1 + exp(-a)) by one exponential that does not overflow; from 80 on the result is 1 in any kind."""
    e = np.exp(np.minimum(a, 11.0 if a.dtype.char == "e" else 80.0))  # float16 ends at exp(11.09)
    e /= 1.0 + e
    return e
''',
    "_softmax": '''
def _softmax(a, axis):
    """exp(a) over its sum along the axis (or axes), with the largest entry taken out."""
    top = a.max(axis=axis, keepdims=True)
    if not (np.vdot(top, top) < np.inf or np.isfinite(top).all()):  # the one is quicker, and may overflow
        top = np.where(np.isfinite(top), top, np.zeros_like(top))
    result = np.exp(a - top)
    result /= result.sum(axis=axis, keepdims=True)
    return result
''',
    "_softmax_of_all": '''
def _softmax_of_all(a):
    """exp(a) over the sum of all of it, with the largest entry taken out."""
    top = np.maximum.reduce(a, None)
    if not -np.inf < top < np.inf:
        top = np.where(np.isfinite(top), top, np.zeros_like(top))
    result = np.exp(a - top)
    result /= np.add.reduce(result, None)
    return result
''',
    "_adjugate": '''
def _adjugate(A):
    """The transposed cofactors, by singular values: right where A has no inverse too."""
    U, s, V = np.linalg.svd(A)
    others = np.where(np.eye(s.shape[-1], dtype=bool), 1, s[..., None, :]).prod(axis=-1).astype(A.dtype)
    sign = np.linalg.det(U)*np.linalg.det(V)
    V, U = V.swapaxes(-1, -2), U.swapaxes(-1, -2)
    return sign[..., None, None]*(V*others[..., None, :] @ U)
''',
    "_second_adjugate": '''
def _second_adjugate(A):
    """[..., i, j, k, l]: the derivative of the adjugate [i, j] in A[l, k], by singular values."""
    U, s, V = np.linalg.svd(A)
    one = np.eye(s.shape[-1], dtype=bool)
    left = np.where(one[:, None] | one, 1, s[..., None, None, :]).prod(axis=-1)
    left = np.where(one, 0, left)*(np.linalg.det(U)*np.linalg.det(V))[..., None, None]
    left = left.astype(A.dtype)
    V = V.swapaxes(-1, -2)
    first = np.einsum("...ab,...ia,...ja,...kb,...lb->...ijkl", left, V, U, V, U)
    return first - np.einsum("...ab,...ia,...la,...kb,...jb->...ijkl", left, V, U, V, U)
''',
    "_polar_factor": '''
def _polar_factor(A):
    """U @ V.T of the singular value decomposition: the nearest matrix with orthonormal columns or rows."""
    U, _, V = np.linalg.svd(A, full_matrices=False)
    return U @ V
''',
    "_polar_factor_slope": '''
def _polar_factor_slope(A):
    """[..., i, j, k, l]: the derivative of the polar factor of A[i, j] in A[k, l], by singular values."""
    U, s, V = np.linalg.svd(A, full_matrices=False)
    m, n = A.shape[-2:]
    both = 1/(s[..., :, None] + s[..., None, :])
    UU, VV = U @ U.swapaxes(-1, -2), V.swapaxes(-1, -2) @ V
    left, right = np.eye(m, dtype=A.dtype) - UU, np.eye(n, dtype=A.dtype) - VV
    spread = np.einsum("...ip,...pq,...kp,...qj,...ql->...ijkl", U, both, U, V, V)
    turned = np.einsum("...ip,...pq,...kq,...qj,...pl->...ijkl", U, both, U, V, V)
    over = np.einsum("...pl,...p,...pj->...lj", V, 1/s, V)
    below = np.einsum("...ip,...p,...kp->...ik", U, 1/s, U)
    return (
        spread - turned
        + np.einsum("...ik,...lj->...ijkl", left, over)
        + np.einsum("...ik,...lj->...ijkl", below, right)
    )
''',
    "_expm_slope": '''
def _expm_slope(A):
    """[..., i, j, k, l]: the derivative of expm(A)[i, j] in A[k, l], from expm([[A, E], [0, A]])."""
    n = A.shape[-1]
    unit = np.zeros((n, n, n, n), A.dtype)
    np.einsum("klkl->kl", unit)[...] = 1
    block = np.zeros((*A.shape[:-2], n, n, 2*n, 2*n), A.dtype)
    block[..., :n, :n] = block[..., n:, n:] = A[..., None, None, :, :]
    block[..., :n, n:] = unit
    return np.moveaxis(linalg.expm(block)[..., :n, n:], (-2, -1), (-4, -3))
''',
    "_expm_curvature": '''
def _expm_curvature(A):
    """[..., i, j, k, l, p, q]: the second derivative of expm(A)[i, j] in A[k, l] and A[p, q]."""
    n = A.shape[-1]
    unit = np.zeros((n, n, n, n), A.dtype)
    np.einsum("klkl->kl", unit)[...] = 1
    block = np.zeros((*A.shape[:-2], n, n, n, n, 4*n, 4*n), A.dtype)
    for k in range(4):
        block[..., k*n:k*n + n, k*n:k*n + n] = A[..., None, None, None, None, :, :]
    first, second = unit[:, :, None, None], unit
    block[..., :n, n:2*n] = block[..., 2*n:3*n, 3*n:] = first
    block[..., :n, 2*n:3*n] = block[..., n:2*n, 3*n:] = second
    return np.moveaxis(linalg.expm(block)[..., :n, 3*n:], (-2, -1), (-6, -5))
''',
    "_running": '''
def _running(op, a, axis, reverse=False, apart=False):
    """The cumulative op along the axis, from the end with reverse; apart: without the entry itself."""
    a = np.moveaxis(a, axis, -1)
    if reverse:
        a = a[..., ::-1]
    cumulate, start = (np.cumsum, 0) if op is np.sum else (np.cumprod, 1)
    if apart:
        result = np.full_like(a, start)
        result[..., 1:] = cumulate(a[..., :-1], axis=-1)
    else:
        result = cumulate(a, axis=-1)
    if reverse:
        result = result[..., ::-1]
    return np.moveaxis(result, -1, axis)
''',
    "_running_at": '''
def _running_at(a, axis, places, reverse=False):
    """The sums of a along the axis up to each place (from there on, with reverse), 0 where there is none."""
    a = np.moveaxis(a, axis, -1)
    size = a.shape[-1]
    sums = np.zeros((*a.shape[:-1], size + 1), np.result_type(a))
    if reverse:
        sums[..., :size] = np.cumsum(a[..., ::-1], axis=-1)[..., ::-1]
    else:
        sums[..., 1:] = np.cumsum(a, axis=-1)
    return np.take(np.moveaxis(sums, -1, axis), np.clip(places + (not reverse), 0, size), axis=axis)
''',
    "_running_product_of_others": '''
def _running_product_of_others(a, axis):
    """[..., k, i]: the product of the entries up to i along the axis but the one at k; exact at zeros."""
    a = np.moveaxis(a, axis, -1)
    k, i = np.arange(a.shape[-1])[:, None], np.arange(a.shape[-1])
    before = np.ones_like(a)
    before[..., 1:] = np.cumprod(a[..., :-1], axis=-1)
    after = np.cumprod(np.where(i > k, a[..., None, :], 1).astype(a.dtype), axis=-1)
    return np.where(i >= k, before[..., :, None]*after, np.cumprod(a, axis=-1)[..., None, :])
''',
    "_product_of_others": '''
def _product_of_others(a, axis):
    """Along the axis, the product of all other entries; exact where entries are zero."""
    a = np.moveaxis(a, axis, -1)
    before, after = np.ones_like(a), np.ones_like(a)
    before[..., 1:] = np.cumprod(a[..., :-1], axis=-1)
    after[..., :-1] = np.cumprod(a[..., :0:-1], axis=-1)[..., ::-1]
    return np.moveaxis(before * after, -1, axis)
''',
}
