"""Spack recipe of ShardScale.

Never run: no Spack was at hand. Python compiles it, and that is all that was checked. The project has no public address yet, so
that there is nothing to fetch: `spack dev-build shardscale@main` builds the checkout that it is called in. Cargo fetches
the crates of Cargo.lock while it builds, as it does for other Rust packages of Spack.
"""

import glob
import os

from spack.package import *

try:  # from Spack 1.0 on it is part of the packages' own repository
    from spack_repo.builtin.build_systems.generic import Package
except ImportError:
    pass


class Shardscale(Package):
    """Measures how an in-memory tensor store scales on a supercomputer: job scripts, an MPI client, reports."""

    license("MIT")

    version("main", branch="main")

    variant("client", default=True, description="Build the MPI client; without it only scripts and reports are made")
    variant("store", default="redis", values=("redis", "none"), description="Server that comes along; none where the site has one")

    depends_on("c", type="build")
    depends_on("rust@1.89:", type="build")
    with when("+client"):
        depends_on("mpi")
        depends_on("llvm+clang", type="build")  # bindgen loads libclang
        depends_on("redis", type="run", when="store=redis")

    def setup_build_environment(self, env):
        if self.spec.satisfies("+client"):
            env.set("MPICC", self.spec["mpi"].mpicc)
            libclang = glob.glob(os.path.join(self.spec["llvm"].prefix, "lib*", "libclang.so*"))
            if libclang:
                env.set("LIBCLANG_PATH", os.path.dirname(libclang[0]))

    def install(self, spec, prefix):
        cargo = which("cargo", required=True)
        for path in [".", "client"] if spec.satisfies("+client") else ["."]:
            cargo("install", "--locked", "--path", path, "--root", prefix)
        Executable(prefix.bin.shardscale)("man", prefix.share.man.man1)

    def test_version(self):
        """says what it was built from"""
        Executable(self.prefix.bin.shardscale)("version", "--long")
