using static TorchSharp.Operators;

namespace TorchSharp;

public static partial class torch
{
    // Sums, extremes, orders and counts.
    public partial class Tensor
    {
        public Tensor sum(ScalarType? type = null) => One("sum", this, type);

        public Tensor sum(long[] dim, bool keepdim = false, ScalarType? type = null) => One("sum.dim_IntList", this, dim, keepdim, type);

        public Tensor sum(ReadOnlySpan<long> dim, bool keepdim = false, ScalarType? type = null) => sum(dim.ToArray(), keepdim, type);

        public Tensor sum(long dim, bool keepdim = false, ScalarType? type = null) => sum([dim], keepdim, type);

        public Tensor sum(long dim0, long dim1, bool keepdim = false, ScalarType? type = null) => sum([dim0, dim1], keepdim, type);

        public Tensor sum(long dim0, long dim1, long dim2, bool keepdim = false, ScalarType? type = null) => sum([dim0, dim1, dim2], keepdim, type);

        public Tensor mean() => One("mean", this);

        public Tensor mean(long[] dimensions, bool keepdim = false, ScalarType? type = null) => One("mean.dim", this, dimensions, keepdim, type);

        public Tensor prod(ScalarType? type = null) => One("prod", this, type);

        public Tensor prod(long dim, bool keepdim = false, ScalarType? type = null) => One("prod.dim_int", this, dim, keepdim, type);

        public Tensor nansum() => One("nansum", this);

        public Tensor median() => One("median", this);

        public Tensor nanmedian() => One("nanmedian", this);

        public Tensor var(bool unbiased = true) => One("var", this, unbiased);

        public Tensor var(long[] dimensions, bool unbiased = true, bool keepdim = false, ScalarType? type = null) => One("var.dim", As(type), dimensions, unbiased, keepdim);

        public Tensor var(ReadOnlySpan<long> dimensions, bool unbiased = true, bool keepdim = false, ScalarType? type = null) => var(dimensions.ToArray(), unbiased, keepdim, type);

        public Tensor var(long dim, bool unbiased = true, bool keepdim = false, ScalarType? type = null) => var(new[] { dim }, unbiased, keepdim, type);

        public (Tensor, Tensor) var_mean(bool unbiased = true) => Two("var_mean", this, unbiased);

        public (Tensor, Tensor) var_mean(long[] dimensions, bool unbiased = true, bool keepdim = false, ScalarType? type = null) => Two("var_mean.dim", As(type), dimensions, unbiased, keepdim);

        public (Tensor, Tensor) var_mean(long dim, bool unbiased = true, bool keepdim = false, ScalarType? type = null) => var_mean(new[] { dim }, unbiased, keepdim, type);

        public Tensor std(bool unbiased = true) => One("std", this, unbiased);

        public Tensor std(long[] dimensions, bool unbiased = true, bool keepdim = false, ScalarType? type = null) => One("std.dim", As(type), dimensions, unbiased, keepdim);

        public Tensor std(ReadOnlySpan<long> dimensions, bool unbiased = true, bool keepdim = false, ScalarType? type = null) => std(dimensions.ToArray(), unbiased, keepdim, type);

        public Tensor std(long dim, bool unbiased = true, bool keepdim = false, ScalarType? type = null) => std(new[] { dim }, unbiased, keepdim, type);

        public (Tensor, Tensor) std_mean(bool unbiased = true) => Two("std_mean", this, unbiased);

        public (Tensor, Tensor) std_mean(long[] dimensions, bool unbiased = true, bool keepdim = false, ScalarType? type = null) => Two("std_mean.dim", As(type), dimensions, unbiased, keepdim);

        public (Tensor, Tensor) std_mean(long dim, bool unbiased = true, bool keepdim = false, ScalarType? type = null) => std_mean(new[] { dim }, unbiased, keepdim, type);

        public Tensor max() => One("max", this);

        public Tensor max(Tensor other) => One("max.other", this, other);

        public (Tensor, Tensor) max(long dim, bool keepdim = false) => Two("max.dim", this, dim, keepdim);

        public Tensor argmax() => One("argmax", this);

        public Tensor argmax(long dim, bool keepdim = false) => One("argmax", this, dim, keepdim);

        public Tensor min() => One("min", this);

        public Tensor min(Tensor other) => One("min.other", this, other);

        public (Tensor, Tensor) min(long dim, bool keepdim = false) => Two("min.dim", this, dim, keepdim);

        public Tensor argmin() => One("argmin", this);

        public Tensor argmin(long dim, bool keepdim = false) => One("argmin", this, dim, keepdim);

        public Tensor amax(params long[] dims) => One("amax", this, dims);

        public Tensor amin(params long[] dims) => One("amin", this, dims);

        public Tensor any() => One("any", this);

        public Tensor any(long dim, bool keepdim = false) => One("any.dim", this, dim, keepdim);

        public Tensor all() => One("all", this);

        public Tensor all(long dim, bool keepdim = false) => One("all.dim", this, dim, keepdim);

        public (Tensor, Tensor) aminmax(long? dim = null, bool keepdim = false) => Two("aminmax", this, dim, keepdim);

        public Tensor logsumexp(long dim, bool keepdim = false) => One("logsumexp", this, new[] { dim }, keepdim);

        public Tensor norm(float p = 2) => One("norm.Scalar", this, (double)p);

        public Tensor norm(int dim, bool keepdim = false, float p = 2) => One("norm.ScalarOpt_dim", this, (double)p, new long[] { dim }, keepdim);

        public Tensor dist(Tensor other, float p = 2) => One("dist", this, other, (double)p);

        public Tensor cumsum(long dim, ScalarType? type = null) => One("cumsum", this, dim, type);

        public Tensor cumprod(long dim, ScalarType? type = null) => One("cumprod", this, dim, type);

        public Tensor logcumsumexp(long dim) => One("logcumsumexp", this, dim);

        public (Tensor, Tensor) cummax(long dim) => Two("cummax", this, dim);

        public (Tensor, Tensor) cummin(long dim) => Two("cummin", this, dim);

        public Tensor count_nonzero(long[]? dims = null) => dims is null ? One("count_nonzero", this, Value.None) : One("count_nonzero.dim_IntList", this, dims);

        public (Tensor, Tensor) topk(int k, int dim = -1, bool largest = true, bool sorted = true) => Two("topk", this, k, dim, largest, sorted);

        public (Tensor, Tensor) sort(long dim = -1, bool descending = false, bool stable = false) => Two("sort.stable", this, stable, dim, descending);

        public Tensor argsort(long dim = -1, bool descending = false) => One("argsort", this, dim, descending);

        public Tensor msort() => One("msort", this);

        public (Tensor, Tensor) kthvalue(long k, long? dim, bool keepdim = false) => Two("kthvalue", this, k, dim ?? -1, keepdim);

        public (Tensor, Tensor) mode(long dim = -1, bool keepdim = false) => Two("mode", this, dim, keepdim);

        public Tensor quantile(Tensor q, long dim = -1, bool keepdim = false) => One("quantile", this, q, dim, keepdim);

        public Tensor bincount(Tensor weights, long minlength = 0) => One("bincount", this, weights, minlength);

        public Tensor histc(long bins = 100, long min = 0, long max = 0) => One("histc", this, bins, min, max);

        public Tensor bucketize(Tensor boundaries, bool outInt32 = false, bool right = false) => One("bucketize.Tensor", this, boundaries, outInt32, right);

        public (Tensor, Tensor, Tensor) unique(bool sorted = true, bool return_inverse = false, bool return_counts = false, int? dim = null) => dim is null ? Three("_unique2", this, sorted, return_inverse, return_counts) : Three("unique_dim", this, dim.Value, sorted, return_inverse, return_counts);
    }
}
