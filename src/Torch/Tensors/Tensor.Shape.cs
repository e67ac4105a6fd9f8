using static TorchSharp.Operators;

namespace TorchSharp;

public static partial class torch
{
    // Views, copies in another shape, and parts.
    public partial class Tensor
    {
        public Tensor view(params long[] shape) => One("view", this, shape);

        public Tensor view_as(Tensor other) => One("view_as", this, other);

        public Tensor reshape(params long[] shape) => One("reshape", this, shape);

        public Tensor flatten(long start_dim = 0, long end_dim = -1) => One("flatten.using_ints", this, start_dim, end_dim);

        public Tensor unflatten(long dim, params long[] sizes) => One("unflatten.int", this, dim, sizes);

        public Tensor ravel() => One("ravel", this);

        public Tensor transpose(long dim0, long dim1) => One("transpose.int", this, dim0, dim1);

        public Tensor transpose_(long dim0, long dim1) => InPlace("transpose_", this, dim0, dim1);

        public Tensor swapaxes(long dim0, long dim1) => transpose(dim0, dim1);

        public Tensor swapdims(long dim0, long dim1) => transpose(dim0, dim1);

        public Tensor t() => One("t", this);

        public Tensor permute(params long[] permutation) => One("permute", this, permutation);

        public Tensor permute(IEnumerable<long> permutation) => permute([.. permutation]);

        public Tensor movedim(long[] source, long[] destination) => One("movedim.intlist", this, source, destination);

        public Tensor moveaxis(long[] source, long[] destination) => movedim(source, destination);

        public Tensor unsqueeze(long dim) => One("unsqueeze", this, dim);

        public Tensor unsqueeze_(long dim) => InPlace("unsqueeze_", this, dim);

        public Tensor squeeze(long? dim = null) => dim is null ? One("squeeze", this) : One("squeeze.dim", this, dim);

        public Tensor squeeze_(long? dim = null) => dim is null ? InPlace("squeeze_", this) : InPlace("squeeze_.dim", this, dim);

        public Tensor expand(params long[] sizes) => One("expand", this, sizes);

        public Tensor expand(long[] sizes, bool isImplicit = false) => One("expand", this, sizes, isImplicit);

        public Tensor expand(ReadOnlySpan<long> sizes, bool isImplicit = false) => One("expand", this, sizes.ToArray(), isImplicit);

        public Tensor expand_as(Tensor other) => One("expand_as", this, other);

        public Tensor broadcast_to(params long[] shape) => One("broadcast_to", this, shape);

        public Tensor repeat(params long[] sizes) => One("repeat", this, sizes);

        public Tensor tile(long[] reps) => One("tile", this, reps);

        public Tensor repeat_interleave(long repeats, long? dim = null, long? output_size = null) => One("repeat_interleave.self_int", this, repeats, dim, output_size);

        public Tensor repeat_interleave(Tensor repeats, long? dim = null, long? output_size = null) => One("repeat_interleave.self_Tensor", this, repeats, dim, output_size);

        public Tensor as_strided(long[] size, long[] strides, long storageOffset = 0) => One("as_strided", this, size, strides, storageOffset);

        public Tensor unfold(long dimension, long size, long step) => One("unfold", this, dimension, size, step);

        public Tensor narrow(long dim, long start, long length) => One("narrow", this, dim, start, length);

        public Tensor select(long dim, long index) => One("select.int", this, dim, index);

        public Tensor slice(long dim, long start, long finish, long step) => One("slice.Tensor", this, dim, start, finish, step);

        public Tensor[] split(long size, int dim = 0) => Many("split.Tensor", this, size, dim);

        public Tensor[] split(long[] sizes, long dim = 0) => Many("split_with_sizes", this, sizes, dim);

        public Tensor[] split(params long[] sizes) => Many("split_with_sizes", this, sizes, 0);

        public Tensor[] chunk(long chunks, long dim = 0) => Many("chunk", this, chunks, dim);

        public Tensor[] unbind(long dimension = 0) => Many("unbind.int", this, dimension);

        public Tensor[] tensor_split(long size, long dim = 0) => Many("tensor_split.sections", this, size, dim);

        public Tensor[] tensor_split(long[] sizes, long dim = 0) => Many("tensor_split.indices", this, sizes, dim);

        public Tensor flip(params long[] dims) => One("flip", this, dims);

        public Tensor fliplr() => One("fliplr", this);

        public Tensor flipud() => One("flipud", this);

        public Tensor roll(long shifts, long? dims = null) => One("roll", this, new[] { shifts }, dims is null ? [] : new[] { dims.Value });

        public Tensor roll(long[] shifts, long[] dims) => One("roll", this, shifts, dims);

        public Tensor roll(long[] shifts) => One("roll", this, shifts);

        public Tensor diag(long diagonal = 0) => One("diag", this, diagonal);

        public Tensor diagonal(long offset = 0, long dim1 = 0, long dim2 = 1) => One("diagonal", this, offset, dim1, dim2);

        public Tensor diag_embed(long offset = 0, long dim1 = -2, long dim2 = -1) => One("diag_embed", this, offset, dim1, dim2);

        public Tensor tril(long diagonal = 0) => One("tril", this, diagonal);

        public Tensor tril_(long diagonal = 0) => InPlace("tril_", this, diagonal);

        public Tensor triu(long diagonal = 0) => One("triu", this, diagonal);

        public Tensor triu_(long diagonal = 0) => InPlace("triu_", this, diagonal);

        public Tensor trace() => One("trace", this);

        public Tensor set_(Tensor source) => InPlace("set_.source_Tensor", this, source);
    }
}
