"""Models as users write them: a function of `np`, the same as text, and in index notation.

The first argument of a function is the module that it computes with: NumPy where einsumdiff traces it,
`jax.numpy` where JAX does. All sizes of a model differ, so that a transpose in a wrong place shows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy
from numpy.random import Generator, default_rng

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, eq=False)
class Model:
    """A model, its arrays, and what it is derived in."""

    function: Callable[..., Any]
    text: str
    """The function's lines as a program: it gives the same derivative."""
    indexed: str
    """The same value, in index notation; the sizes stay symbolic."""
    shapes: Shapes
    wrt: tuple[str, ...]
    hessian: tuple[tuple[str, str], ...] = ()
    """Pairs of names whose block of the second derivative is compared."""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    """Arrays that are no random numbers: index vectors, and numbers that must be positive."""
    declared: str = ""
    """What the indexed text does not show of the shapes."""
    own_program: bool = True
    """Whether the function is the text's program; it is not where the text names what is read once."""

    @property
    def name(self) -> str:
        return self.function.__name__

    def arrays(self, seed: int = 0) -> dict[str, Any]:
        """The arguments, in the order of the function's parameters."""
        random: Generator = default_rng(seed)
        return {
            name: self.fixed[name] if name in self.fixed else random.uniform(-1.2, 1.2, shape)
            for name, shape in self.shapes.items()
        }


# ------------------------------------------------------------------------------ a variational autoencoder


def autoencoder(np, X, noise, W1, b1, Wm, bm, Ws, bs, V1, c1, V2, c2):
    hidden = np.tanh(X @ W1 + b1)
    mean = hidden @ Wm + bm
    logvar = hidden @ Ws + bs
    z = mean + np.exp(0.5 * logvar) * noise
    logits = np.tanh(z @ V1 + c1) @ V2 + c2
    likelihood = np.sum(X * logits - np.logaddexp(0, logits), axis=1)
    divergence = 0.5 * np.sum(np.exp(logvar) + mean**2 - 1 - logvar, axis=1)
    return np.mean(divergence - likelihood)


AUTOENCODER = Model(
    autoencoder,
    """
    hidden = tanh(X @ W1 + b1)
    mu = hidden @ Wm + bm
    logvar = hidden @ Ws + bs
    z = mu + exp(0.5*logvar)*noise
    logits = tanh(z @ V1 + c1) @ V2 + c2
    likelihood = sum(X*logits - logaddexp(0, logits), axis=1)
    divergence = 0.5*sum(exp(logvar) + mu**2 - 1 - logvar, axis=1)
    loss = mean(divergence - likelihood)
    """,
    """
    hidden[n,h] = tanh(X[n,i]*W1[i,h] + b1[h])
    mu[n,l] = hidden[n,h]*Wm[h,l] + bm[l]
    s[n,l] = hidden[n,h]*Ws[h,l] + bs[l]
    z[n,l] = mu[n,l] + exp(s[n,l]/2)*noise[n,l]
    g[n,k] = tanh(z[n,l]*V1[l,k] + c1[k])
    a[n,i] = g[n,k]*V2[k,i] + c2[i]
    likelihood[n] = sum[i](X[n,i]*a[n,i] - logaddexp(0, a[n,i]))
    divergence[n] = sum[l](exp(s[n,l]) + mu[n,l]**2 - 1 - s[n,l])/2
    loss = sum[n](divergence[n] - likelihood[n])/len(divergence)
    """,
    {
        "X": (7, 5),
        "noise": (7, 2),
        "W1": (5, 3),
        "b1": (3,),
        "Wm": (3, 2),
        "bm": (2,),
        "Ws": (3, 2),
        "bs": (2,),
        "V1": (2, 4),
        "c1": (4,),
        "V2": (4, 5),
        "c2": (5,),
    },
    ("W1", "b1", "Wm", "bm", "Ws", "bs", "V1", "c1", "V2", "c2"),
    hessian=(("Wm", "Wm"), ("W1", "V2")),
)


# -------------------------------------------------------------------------- gated recurrent unit, LayerNorm


def gated_recurrent_unit(np, x, h, Wz, Uz, bz, Wr, Ur, br, Wn, Un, bn):
    def sigmoid(a):
        return 1 / (1 + np.exp(-a))

    z = sigmoid(Wz @ x + Uz @ h + bz)
    r = sigmoid(Wr @ x + Ur @ h + br)
    new = np.tanh(Wn @ x + Un @ (r * h) + bn)
    return (1 - z) * new + z * h


GATES = {"Wz": (3, 5), "Uz": (3, 3), "bz": (3,), "Wr": (3, 5), "Ur": (3, 3), "br": (3,)}

GATED_RECURRENT_UNIT = Model(
    gated_recurrent_unit,
    """
    z = 1/(1 + exp(-(Wz @ x + Uz @ h + bz)))
    r = 1/(1 + exp(-(Wr @ x + Ur @ h + br)))
    new = tanh(Wn @ x + Un @ (r*h) + bn)
    out = (1 - z)*new + z*h
    """,
    """
    z[i] = sigmoid(Wz[i,j]*x[j] + Uz[i,k]*h[k] + bz[i])
    r[i] = sigmoid(Wr[i,j]*x[j] + Ur[i,k]*h[k] + br[i])
    new[i] = tanh(Wn[i,j]*x[j] + Un[i,k]*r[k]*h[k] + bn[i])
    out[i] = (1 - z[i])*new[i] + z[i]*h[i]
    """,
    {"x": (5,), "h": (3,), **GATES, "Wn": (3, 5), "Un": (3, 3), "bn": (3,)},
    ("h", "x", "Uz", "br", "Wr", "Un"),
    hessian=(("h", "h"),),
)


def layer_norm(np, X, gain, bias):
    centred = X - np.mean(X, axis=-1, keepdims=True)
    return gain * centred / np.sqrt(np.mean(centred**2, axis=-1, keepdims=True) + 1e-5) + bias


LAYER_NORM = Model(
    layer_norm,
    """
    centred = X - mean(X, axis=-1, keepdims=True)
    Y = gain*centred/sqrt(mean(centred**2, axis=-1, keepdims=True) + 1e-5) + bias
    """,
    """
    mu[b,t] = sum[k](X[b,t,k])/X.shape[2]
    v[b,t] = sum[k]((X[b,t,k] - mu[b,t])**2)/X.shape[2]
    Y[b,t,k] = gain[k]*(X[b,t,k] - mu[b,t])/sqrt(v[b,t] + 1e-5) + bias[k]
    """,
    {"X": (2, 3, 5), "gain": (5,), "bias": (5,)},
    ("X", "gain", "bias"),
    hessian=(("gain", "X"),),
)


# ------------------------------------------------------------------------------------- multi-head attention


def attention(np, X, Wq, Wk, Wv, Wo):
    Q = np.einsum("btd,hdk->bhtk", X, Wq)
    K = np.einsum("btd,hdk->bhtk", X, Wk)
    V = np.einsum("btd,hdv->bhtv", X, Wv)
    scores = np.einsum("bhtk,bhsk->bhts", Q, K) / np.sqrt(Q.shape[-1])
    weights = np.exp(scores - np.max(scores, axis=-1, keepdims=True))
    weights = weights / np.sum(weights, axis=-1, keepdims=True)
    return np.einsum("bhts,bhsv,hvd->btd", weights, V, Wo)


ATTENTION = Model(
    attention,
    """
    Q = einsum("btd,hdk->bhtk", X, Wq)
    K = einsum("btd,hdk->bhtk", X, Wk)
    V = einsum("btd,hdv->bhtv", X, Wv)
    scores = einsum("bhtk,bhsk->bhts", Q, K)/sqrt(Q.shape[-1])
    weights = exp(scores - max(scores, axis=-1, keepdims=True))
    weights = weights/sum(weights, axis=-1, keepdims=True)
    Y = einsum("bhts,bhsv,hvd->btd", weights, V, Wo)
    """,
    """
    Q[b,h,t,k] = X[b,t,d]*Wq[h,d,k]
    K[b,h,t,k] = X[b,t,d]*Wk[h,d,k]
    V[b,h,t,v] = X[b,t,d]*Wv[h,d,v]
    S[b,h,t,s] = Q[b,h,t,k]*K[b,h,s,k]/sqrt(Wq.shape[2])
    Y[b,t,d] = softmax(S)[b,h,t,s]*V[b,h,s,v]*Wo[h,v,d]
    """,
    {"X": (2, 5, 3), "Wq": (2, 3, 4), "Wk": (2, 3, 4), "Wv": (2, 3, 6), "Wo": (2, 6, 3)},
    ("X", "Wq", "Wk", "Wv", "Wo"),
    own_program=False,
)


# ------------------------------------------------------------------- a Gaussian process, a Gaussian mixture


def gaussian_process(np, X, y, scale, width, noise):
    n = X.shape[0]
    squared = np.sum((X[:, None] - X[None]) ** 2, axis=-1)
    K = width**2 * np.exp(-squared / (2 * scale**2)) + noise**2 * np.eye(n)
    _sign, logdet = np.linalg.slogdet(K)
    return -0.5 * y @ np.linalg.solve(K, y) - 0.5 * logdet - 0.5 * n * np.log(2 * np.pi)


GAUSSIAN_PROCESS = Model(
    gaussian_process,
    """
    n = X.shape[0]
    squared = sum((X[:, None] - X[None])**2, axis=-1)
    K = width**2*exp(-squared/(2*scale**2)) + noise**2*eye(n)
    sign, ld = slogdet(K)
    likelihood = -0.5*y @ solve(K, y) - 0.5*ld - 0.5*n*log(2*pi)
    """,
    """
    K[i,j] = width**2*exp(-sum[k]((X[i,k] - X[j,k])**2)/(2*scale**2)) + noise**2*delta[i,j]
    likelihood = -y[i]*solve(K, y)[i]/2 - logdet(K)/2 - len(y)*log(2*pi)/2
    """,
    {"X": (5, 3), "y": (5,), "scale": (), "width": (), "noise": ()},
    ("X", "y", "scale", "width", "noise"),
    hessian=(("scale", "width"), ("noise", "noise"), ("y", "y")),
    fixed={"scale": numpy.array(0.8), "width": numpy.array(1.3), "noise": numpy.array(0.4)},
)


def gaussian_mixture(np, alphas, means, icf, X, place, gamma):
    """ADBench's: `icf` has the logarithms of the diagonal of a triangular factor, then what is below it.

    `place[i*d + j]` says where in `icf` the entry `(i, j)` below the diagonal is.
    """
    (n, d), k = X.shape, alphas.shape[0]
    diagonal = np.exp(icf[:, :d])
    lower = np.tril(np.reshape(icf[:, place], (k, d, d)), -1)
    centred = X[:, None] - means
    mapped = diagonal * centred + np.einsum("kij,nkj->nki", lower, centred)
    inner = alphas + np.sum(icf[:, :d], axis=1) - 0.5 * np.sum(mapped**2, axis=2)
    top = np.max(inner, axis=1)
    likelihood = np.sum(top + np.log(np.sum(np.exp(inner - top[:, None]), axis=1)))
    weights = n * np.log(np.sum(np.exp(alphas)))
    prior = 0.5 * gamma**2 * (np.sum(diagonal**2) + np.sum(lower**2)) - np.sum(icf[:, :d])
    return likelihood - weights - 0.5 * n * d * np.log(2 * np.pi) + prior


GAUSSIAN_MIXTURE = Model(
    gaussian_mixture,
    """
    n, d = X.shape
    k = len(alphas)
    D = exp(icf[:, :3])
    lower = tril(reshape(icf[:, place], (k, d, d)), -1)
    centred = X[:, None] - means
    mapped = D*centred + einsum("kij,nkj->nki", lower, centred)
    inside = alphas + sum(icf[:, :3], axis=1) - 0.5*sum(mapped**2, axis=2)
    top = max(inside, axis=1)
    likelihood = sum(top + log(sum(exp(inside - top[:, None]), axis=1)))
    weights = n*log(sum(exp(alphas)))
    prior = 0.5*gamma**2*(sum(D**2) + sum(lower**2)) - sum(icf[:, :3])
    y = likelihood - weights - 0.5*n*d*log(2*pi) + prior
    """,
    """
    q = icf[:, :3]
    A[k,i,j] = icf[k, place[3*i+j]]
    L = tril(A, -1)
    c[n,k,i] = X[n,i] - means[k,i]
    z[n,k,i] = exp(q[k,i])*c[n,k,i] + L[k,i,j]*c[n,k,j]
    a[n,k] = alphas[k] + sum[i](q[k,i]) - sum[i](z[n,k,i]**2)/2
    likelihood = sum[n](logsumexp(a, axis=1)[n]) - len(X)*logsumexp(alphas) - X.size*log(2*pi)/2
    prior = gamma**2*(sum[k,i](exp(q[k,i])**2) + sum[k,i,j](L[k,i,j]**2))/2 - sum[k,i](q[k,i])
    y = likelihood + prior
    """,
    {"alphas": (2,), "means": (2, 3), "icf": (2, 6), "X": (5, 3), "place": (9,), "gamma": ()},
    ("alphas", "means", "icf"),
    hessian=(("alphas", "alphas"), ("means", "alphas")),
    fixed={"place": numpy.array([0, 0, 0, 3, 0, 0, 4, 5, 0]), "gamma": numpy.array(1.1)},
    declared="gamma: (); icf: (k, 6); place: (9,); A: (k, 3, 3)",
)


# ----------------------------------------------------------------------------- a factorisation machine


def factorisation_machine(np, X, w0, w, V):
    return w0 + X @ w + 0.5 * np.sum((X @ V) ** 2 - X**2 @ V**2, axis=1)


FACTORISATION_MACHINE = Model(
    factorisation_machine,
    "y = w0 + X @ w + 0.5*sum((X @ V)**2 - X**2 @ V**2, axis=1)",
    "y[n] = w0 + X[n,i]*w[i] + 0.5*sum[k]((X[n,i]*V[i,k])**2 - sum[i](X[n,i]**2*V[i,k]**2))",
    {"X": (5, 3), "w0": (), "w": (3,), "V": (3, 2)},
    ("X", "w0", "w", "V"),
    hessian=(("V", "V"), ("X", "V")),
)


# ------------------------------------------------------------------------- a layer of a convolutional network


def convolution(np, X, K, b):
    """Padded by 1 on every side, every second place in the rows, every third in the columns."""
    P = np.pad(X, ((0, 0), (0, 0), (1, 1), (1, 1)))
    rows, columns = (P.shape[2] - K.shape[2]) // 2 + 1, (P.shape[3] - K.shape[3]) // 3 + 1
    Y = b[:, None, None]
    for p in range(K.shape[2]):
        for q in range(K.shape[3]):
            window = P[:, :, p : p + 2 * rows - 1 : 2, q : q + 3 * columns - 2 : 3]
            Y = Y + np.einsum("ncij,oc->noij", window, K[:, :, p, q])
    return Y / (1 + np.exp(-Y))


CONVOLUTION = Model(
    convolution,
    """
    P = pad(X, ((0, 0), (0, 0), (1, 1), (1, 1)))
    Y = (b[:, None, None] + einsum("ncij,oc->noij", P[:, :, 0:5:2, 0:7:3], K[:, :, 0, 0])
         + einsum("ncij,oc->noij", P[:, :, 0:5:2, 1:8:3], K[:, :, 0, 1])
         + einsum("ncij,oc->noij", P[:, :, 1:6:2, 0:7:3], K[:, :, 1, 0])
         + einsum("ncij,oc->noij", P[:, :, 1:6:2, 1:8:3], K[:, :, 1, 1])
         + einsum("ncij,oc->noij", P[:, :, 2:7:2, 0:7:3], K[:, :, 2, 0])
         + einsum("ncij,oc->noij", P[:, :, 2:7:2, 1:8:3], K[:, :, 2, 1]))
    y = Y/(1 + exp(-Y))
    """,
    """
    P = pad(X, ((0, 0), (0, 0), (1, 1), (1, 1)))
    Y[n,o,i,j] = P[n,c,2*i+p,3*j+q]*K[o,c,p,q] + b[o]
    y[n,o,i,j] = silu(Y[n,o,i,j])
    """,
    {"X": (2, 2, 5, 7), "K": (4, 2, 3, 2), "b": (4,)},
    ("X", "K", "b"),
    hessian=(("K", "b"),),
    declared="X: (batch, channels, height, width); b: (outputs,)",
)


# ----------------------------------------------------------------------------- a step of the Kalman filter


def kalman(np, m, P, F, Q, H, R, y):
    """The logarithm of the likelihood of an observation: predict, then compare."""
    mean = F @ m
    covariance = F @ P @ F.T + Q
    residual = y - H @ mean
    S = H @ covariance @ H.T + R
    _sign, logdet = np.linalg.slogdet(S)
    return -0.5 * (residual @ np.linalg.solve(S, residual) + logdet + len(y) * np.log(2 * np.pi))


KALMAN_SHAPES = {"m": (3,), "P": (3, 3), "F": (3, 3), "Q": (3, 3), "H": (2, 3), "R": (2, 2), "y": (2,)}
COVARIANCES = {
    "P": numpy.array([[1.3, 0.2, -0.4], [0.2, 0.9, 0.1], [-0.4, 0.1, 1.1]]),
    "Q": numpy.array([[0.5, 0.1, 0.0], [0.1, 0.6, -0.2], [0.0, -0.2, 0.4]]),
    "R": numpy.array([[0.7, -0.3], [-0.3, 0.8]]),
}

KALMAN = Model(
    kalman,
    """
    mu = F @ m
    residual = y - H @ mu
    S = H @ (F @ P @ F.T + Q) @ H.T + R
    sign, ld = slogdet(S)
    ll = -0.5*(residual @ solve(S, residual) + ld + len(y)*log(2*pi))
    """,
    """
    mu[i] = F[i,j]*m[j]
    C[i,l] = F[i,j]*P[j,k]*F[l,k] + Q[i,l]
    r[a] = y[a] - H[a,i]*mu[i]
    S[a,b] = H[a,i]*C[i,j]*H[b,j] + R[a,b]
    ll = -0.5*(r[a]*inv(S)[a,b]*r[b] + logdet(S) + len(y)*log(2*pi))
    """,
    KALMAN_SHAPES,
    ("m", "P", "F", "Q", "H", "R", "y"),
    hessian=(("m", "m"), ("R", "R"), ("m", "F")),
    fixed=COVARIANCES,
)


def kalman_update(np, m, P, F, Q, H, R, y):
    """The mean after predicting and correcting."""
    mean = F @ m
    covariance = F @ P @ F.T + Q
    S = H @ covariance @ H.T + R
    gain = np.linalg.solve(S, H @ covariance).T
    return mean + gain @ (y - H @ mean)


KALMAN_UPDATE = Model(
    kalman_update,
    """
    mu = F @ m
    C = F @ P @ F.T + Q
    S = H @ C @ H.T + R
    after = mu + solve(S, H @ C).T @ (y - H @ mu)
    """,
    """
    mu[i] = F[i,j]*m[j]
    C[i,l] = F[i,j]*P[j,k]*F[l,k] + Q[i,l]
    S[a,b] = H[a,i]*C[i,j]*H[b,j] + R[a,b]
    gain[i,b] = C[j,i]*H[a,j]*inv(S)[b,a]
    after[i] = mu[i] + gain[i,a]*(y[a] - H[a,k]*mu[k])
    """,
    KALMAN_SHAPES,
    ("m", "P", "F", "Q", "H", "R", "y"),
    fixed=COVARIANCES,
)


# ------------------------------------------------------------------------------------- bundle adjustment


def bundle_adjustment(np, camera, X, weight, feature):
    """ADBench's residual: rotation vector, centre, focal length, principal point, two of distortion."""
    r, centre, f, x0, kappa = camera[:3], camera[3:6], camera[6], camera[7:9], camera[9:]
    v = X - centre
    angle = np.sqrt(np.sum(r**2))
    axis = r / angle
    cross = np.cross(axis, v)
    turned = v * np.cos(angle) + cross * np.sin(angle) + axis * (axis @ v) * (1 - np.cos(angle))
    p = turned[:2] / turned[2]
    square = np.sum(p**2)
    distorted = p * (1 + kappa[0] * square + kappa[1] * square**2)
    return weight * (distorted * f + x0 - feature)


BUNDLE_ADJUSTMENT = Model(
    bundle_adjustment,
    """
    r = camera[:3]
    v = X - camera[3:6]
    angle = sqrt(sum(r**2))
    axis = r/angle
    turned = v*cos(angle) + cross(axis, v)*sin(angle) + axis*(axis @ v)*(1 - cos(angle))
    p = turned[:2]/turned[2]
    square = sum(p**2)
    distorted = p*(1 + camera[9]*square + camera[10]*square**2)
    residual = weight*(distorted*camera[6] + camera[7:9] - feature)
    """,
    """
    r = camera[:3]
    v[i] = X[i] - camera[i+3]
    angle = sqrt(r[i]*r[i])
    a[i] = r[i]/angle
    along = a[i]*v[i]
    t[i] = v[i]*cos(angle) + cross(a, v)[i]*sin(angle) + a[i]*along*(1 - cos(angle))
    p = t[:2]/t[2]
    s = p[i]*p[i]
    residual[i] = weight*(p[i]*(1 + camera[9]*s + camera[10]*s**2)*camera[6] + camera[i+7] - feature[i])
    """,
    {"camera": (11,), "X": (3,), "weight": (), "feature": (2,)},
    ("camera", "X", "weight", "feature"),
    hessian=(("camera", "camera"), ("X", "camera")),
    declared="camera: (11,); X: (3,)",
)


def scene(np, cameras, points, weights, features, camera, point):
    """All observations at once: observation o is of point `point[o]` by camera `camera[o]`."""
    C = cameras[camera]
    v = points[point] - C[:, 3:6]
    angle = np.sqrt(np.sum(C[:, :3] ** 2, axis=1, keepdims=True))
    axis = C[:, :3] / angle
    along = np.sum(axis * v, axis=1, keepdims=True)
    turned = v * np.cos(angle) + np.cross(axis, v) * np.sin(angle) + axis * along * (1 - np.cos(angle))
    p = turned[:, :2] / turned[:, 2:]
    square = np.sum(p**2, axis=1, keepdims=True)
    distorted = p * (1 + C[:, 9:10] * square + C[:, 10:] * square**2)
    return weights[:, None] * (distorted * C[:, 6:7] + C[:, 7:9] - features)


SCENE = Model(
    scene,
    """
    C = cameras[camera]
    v = points[point] - C[:, 3:6]
    angle = sqrt(sum(C[:, :3]**2, axis=1, keepdims=True))
    axis = C[:, :3]/angle
    turned = (v*cos(angle) + cross(axis, v)*sin(angle)
              + axis*sum(axis*v, axis=1, keepdims=True)*(1 - cos(angle)))
    p = turned[:, :2]/turned[:, 2:]
    square = sum(p**2, axis=1, keepdims=True)
    distorted = p*(1 + C[:, 9:10]*square + C[:, 10:]*square**2)
    residual = weights[:, None]*(distorted*C[:, 6:7] + C[:, 7:9] - features)
    """,
    """
    r = cameras[camera, :3]
    v[o,i] = points[point[o], i] - cameras[camera[o], i+3]
    angle[o] = sqrt(r[o,i]*r[o,i])
    a[o,i] = r[o,i]/angle[o]
    along[o] = a[o,i]*v[o,i]
    t[o,i] = v[o,i]*cos(angle[o]) + cross(a, v)[o,i]*sin(angle[o]) + a[o,i]*along[o]*(1 - cos(angle[o]))
    q = t[:, :2]
    p[o,i] = q[o,i]/t[o,2]
    s[o] = p[o,i]*p[o,i]
    k[o] = 1 + cameras[camera[o], 9]*s[o] + cameras[camera[o], 10]*s[o]**2
    x[o,i] = p[o,i]*k[o]*cameras[camera[o], 6] + cameras[camera[o], i+7]
    residual[o,i] = weights[o]*(x[o,i] - features[o,i])
    """,
    {
        "cameras": (2, 11),
        "points": (5, 3),
        "weights": (4,),
        "features": (4, 2),
        "camera": (4,),
        "point": (4,),
    },
    ("cameras", "points", "weights", "features"),
    hessian=(("weights", "cameras"),),
    fixed={"camera": numpy.array([1, 0, 1, 1]), "point": numpy.array([4, 2, 0, 2])},
    declared="cameras: (c, 11); points: (d, 3)",
)
