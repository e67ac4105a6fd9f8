using static TorchSharp.Operators;

namespace TorchSharp;

public static partial class torch
{
    // Reading and writing at positions that a tensor holds.
    public partial class Tensor
    {
        public Tensor index_select(long dim, Tensor index) => One("index_select", this, dim, index);

        public Tensor gather(long dim, Tensor index) => One("gather", this, dim, index);

        public Tensor scatter(long dim, Tensor index, Tensor src) => One("scatter.src", this, dim, index, src);

        public Tensor scatter_(long dim, Tensor index, Tensor src) => InPlace("scatter_.src", this, dim, index, src);

        public Tensor scatter_add(long dim, Tensor index, Tensor src) => One("scatter_add", this, dim, index, src);

        public Tensor scatter_add_(long dim, Tensor index, Tensor src) => InPlace("scatter_add_", this, dim, index, src);

        public Tensor index_add(long dim, Tensor index, Tensor source, Scalar alpha) => One("index_add", this, dim, index, source, alpha);

        public Tensor index_add_(long dim, Tensor index, Tensor source, Scalar alpha) => InPlace("index_add_", this, dim, index, source, alpha);

        public Tensor index_copy(long dim, Tensor index, Tensor source) => One("index_copy", this, dim, index, source);

        public Tensor index_copy_(long dim, Tensor index, Tensor source) => InPlace("index_copy_", this, dim, index, source);

        public Tensor index_fill(long dim, Tensor index, Scalar value) => One("index_fill.int_Scalar", this, dim, index, value);

        public Tensor index_fill_(long dim, Tensor index, Scalar value) => InPlace("index_fill_.int_Scalar", this, dim, index, value);

        public Tensor masked_fill(Tensor mask, Scalar value) => One("masked_fill.Scalar", this, mask, value);

        public Tensor masked_fill_(Tensor mask, Scalar value) => InPlace("masked_fill_.Scalar", this, mask, value);

        public Tensor masked_select(Tensor mask) => One("masked_select", this, mask);

        public Tensor masked_scatter(Tensor mask, Tensor value) => One("masked_scatter", this, mask, value);

        public Tensor masked_scatter_(Tensor mask, Tensor value) => InPlace("masked_scatter_", this, mask, value);

        public Tensor nonzero() => One("nonzero", this);

        public Tensor argwhere() => One("argwhere", this);

        public Tensor take(Tensor index) => One("take", this, index);

        public Tensor take_along_dim(Tensor indices) => One("take_along_dim", this, indices);

        public Tensor take_along_dim(Tensor indices, long dim) => One("take_along_dim", this, indices, dim);

        public Tensor select_scatter(Tensor src, long dim, long index) => One("select_scatter", this, src, dim, index);

        public Tensor slice_scatter(Tensor src, long dim = 0, long? start = null, long? end = null, long step = 1) => One("slice_scatter", this, src, dim, start, end, step);
    }
}
