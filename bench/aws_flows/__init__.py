"""The workflows of `bench.aws`, in a folder of their own, as a bundle has them."""
