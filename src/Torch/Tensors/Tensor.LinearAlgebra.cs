using static TorchSharp.Operators;

namespace TorchSharp;

public static partial class torch
{
    // Products of vectors and matrices.
    public partial class Tensor
    {
        public Tensor matmul(Tensor target) => One("matmul", this, target);

        public Tensor mm(Tensor target) => One("mm", this, target);

        public Tensor bmm(Tensor batch2) => One("bmm", this, batch2);

        public Tensor mv(Tensor target) => One("mv", this, target);

        public Tensor dot(Tensor target) => One("dot", this, target);

        public Tensor vdot(Tensor target) => One("vdot", this, target);

        public Tensor inner(Tensor vec2) => One("inner", this, vec2);

        public Tensor outer(Tensor vec2) => One("outer", this, vec2);

        public Tensor ger(Tensor vec2) => One("ger", this, vec2);

        public Tensor kron(Tensor other) => One("kron", this, other);

        public Tensor addmm(Tensor mat1, Tensor mat2, float beta = 1, float alpha = 1) => One("addmm", this, mat1, mat2, (double)beta, (double)alpha);

        public Tensor addmm_(Tensor mat1, Tensor mat2, float beta = 1, float alpha = 1) => InPlace("addmm_", this, mat1, mat2, (double)beta, (double)alpha);

        public Tensor addmv(Tensor mat, Tensor vec, float beta = 1, float alpha = 1) => One("addmv", this, mat, vec, (double)beta, (double)alpha);

        public Tensor addmv_(Tensor mat, Tensor vec, float beta = 1, float alpha = 1) => InPlace("addmv_", this, mat, vec, (double)beta, (double)alpha);

        public Tensor addr(Tensor vec1, Tensor vec2, float beta = 1, float alpha = 1) => One("addr", this, vec1, vec2, (double)beta, (double)alpha);

        public Tensor addr_(Tensor vec1, Tensor vec2, float beta = 1, float alpha = 1) => InPlace("addr_", this, vec1, vec2, (double)beta, (double)alpha);

        public Tensor addbmm(Tensor batch1, Tensor batch2, float beta = 1, float alpha = 1) => One("addbmm", this, batch1, batch2, (double)beta, (double)alpha);

        public Tensor addbmm_(Tensor batch1, Tensor batch2, float beta = 1, float alpha = 1) => InPlace("addbmm_", this, batch1, batch2, (double)beta, (double)alpha);

        public Tensor baddbmm(Tensor batch1, Tensor batch2, float beta = 1, float alpha = 1) => One("baddbmm", this, batch1, batch2, (double)beta, (double)alpha);

        public Tensor tensordot(Tensor b, long[] dims1, long[] dims2) => One("tensordot", this, b, dims1, dims2);

        public Tensor renorm(float p, long dim, float maxnorm) => One("renorm", this, (double)p, dim, (double)maxnorm);

        public Tensor matrix_power(int n) => One("matrix_power", this, n);

        public Tensor matrix_exp() => One("matrix_exp", this);

        public Tensor inverse() => One("inverse", this);

        public Tensor det() => One("det", this);

        public Tensor logdet() => One("logdet", this);

        public Tensor cholesky(bool upper = false) => One("cholesky", this, upper);
    }
}
