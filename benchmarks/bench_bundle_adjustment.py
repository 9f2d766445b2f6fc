"""Bundle adjustment by `scipy.optimize.least_squares`, with two Jacobians: a Markdown table.

Cameras and points are found from where the cameras see the points: 50 cameras, 2,000 points, each seen by
four of them. The Jacobian is einsumdiff's, sparse, or SciPy's finite differences of the same residual with
the sparsity given. Both start from the same place.

The model is that of Agarwal, Snavely, Seitz and Szeliski, Bundle Adjustment in the Large (2010): rotation
vector, centre, focal length and two coefficients of distortion for each camera.

Usage: bench_bundle_adjustment.py [--quick]
"""

import sys
import time

import numpy as np
import scipy
from scipy.optimize import least_squares
from scipy.sparse import csr_array

from einsumdiff import derive

CAMERAS, POINTS, VIEWS = 50, 2000, 4
ROUNDS = 3


def residual(cameras, points, features, camera, point):
    """What camera `camera[o]` sees of point `point[o]`, less the feature found there, for each o."""
    C = cameras[camera]
    v = points[point] - C[:, 3:6]
    angle = np.sqrt(np.sum(C[:, :3] ** 2, axis=1, keepdims=True))
    axis = C[:, :3] / angle
    along = np.sum(axis * v, axis=1, keepdims=True)
    turned = v * np.cos(angle) + np.cross(axis, v) * np.sin(angle) + axis * along * (1 - np.cos(angle))
    p = turned[:, :2] / turned[:, 2:]
    square = np.sum(p**2, axis=1, keepdims=True)
    distorted = p * (1 + C[:, 7:8] * square + C[:, 8:9] * square**2)
    return distorted * C[:, 6:7] - features


def scene(random: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Cameras, points, features, which camera and which point each is of; noise of half a pixel."""
    turns, places = random.normal(0, 0.2, (CAMERAS, 3)), random.normal([0, 0, -8], 1, (CAMERAS, 3))
    lenses = np.tile([500, 0.01, 0.001], (CAMERAS, 1))
    cameras, points = np.hstack([turns, places, lenses]), random.uniform(-2, 2, (POINTS, 3))
    point = np.repeat(np.arange(POINTS), VIEWS)
    camera = np.concatenate([random.choice(CAMERAS, VIEWS, replace=False) for _ in range(POINTS)])
    features = residual(cameras, points, 0, camera, point) + random.normal(0, 0.5, (len(point), 2))
    return cameras, points, features, camera, point


def sparsity(camera: np.ndarray, point: np.ndarray) -> csr_array:
    """Which unknowns a residual depends on: nine of its camera, three of its point."""
    own = 9 * camera[:, None] + np.arange(9), 9 * CAMERAS + 3 * point[:, None] + np.arange(3)
    columns = np.repeat(np.hstack(own), 2, axis=0)
    rows = np.broadcast_to(np.arange(len(columns))[:, None], columns.shape)
    places = rows.ravel(), columns.ravel()
    return csr_array((np.ones(columns.size, int), places), (len(columns), 9 * CAMERAS + 3 * POINTS))


def main(evaluations: int) -> None:
    random = np.random.default_rng(0)
    cameras, points, features, camera, point = scene(random)
    scale = np.array([0.01] * 3 + [0.05] * 3 + [5, 0.001, 0.0001])
    start = (
        cameras + scale * random.normal(0, 1, cameras.shape),
        points + random.normal(0, 0.05, points.shape),
    )

    began = time.perf_counter()
    shapes = {"cameras": ("c", 9), "points": ("p", 3), "features": ("o", 2), "camera": "o", "point": "o"}
    d = derive(residual, wrt=["cameras", "points"], shapes=shapes)
    problem = d.as_scipy(*start, features, camera, point, method="trf")
    sparse = problem.jac(problem.x0)
    deriving = time.perf_counter() - began

    def dense_function(x: np.ndarray) -> np.ndarray:
        cut = 9 * CAMERAS
        return residual(x[:cut].reshape(-1, 9), x[cut:].reshape(-1, 3), features, camera, point).ravel()

    pattern = sparsity(camera, point)
    step = 1e-6
    direction = random.standard_normal(problem.x0.size)
    slope = (
        dense_function(problem.x0 + step * direction) - dense_function(problem.x0 - step * direction)
    ) / (2 * step)
    assert np.max(np.abs(sparse @ direction - slope)) < 1e-5 * np.max(np.abs(slope))

    options = {"method": "trf", "x_scale": "jac", "ftol": 1e-8, "max_nfev": evaluations}
    solvers = {
        "einsumdiff, sparse": lambda: least_squares(problem.fun, problem.x0, problem.jac, **options),
        "SciPy, finite differences with the sparsity given": lambda: least_squares(
            dense_function, problem.x0, jac_sparsity=pattern, **options
        ),
    }
    print(f"{problem.x0.size} unknowns, {sparse.shape[0]} residuals, {sparse.nnz} entries that are not zero")
    print(f"deriving, compiling and the first Jacobian: {deriving:.2f} s; SciPy {scipy.__version__}\n")
    print("| Jacobian | seconds | Jacobians | cost at the end |\n| --- | ---: | ---: | ---: |")
    found, took = {}, {name: float("inf") for name in solvers}
    for _ in range(ROUNDS):  # in turns: what else the machine does meets both
        for name, solve in solvers.items():
            began = time.perf_counter()
            found[name] = solve()
            took[name] = min(took[name], time.perf_counter() - began)
    for name, one in found.items():
        print(f"| {name} | {took[name]:.1f} | {one.njev} | {one.cost:.6f} |")
    costs = [one.cost for one in found.values()]
    assert max(costs) - min(costs) < 1e-4 * min(costs), "they end at different minima"


if __name__ == "__main__":
    main(evaluations=15 if "--quick" in sys.argv else 60)
