using static TorchSharp.Operators;

namespace TorchSharp;

public static partial class torch
{
    public partial class Tensor
    {
        /// <summary>Transposed: the dimensions in reverse.</summary>
        public Tensor T => One("numpy_T", this);

        /// <summary>The last two dimensions swapped.</summary>
        public Tensor mT => One("mT", this);

        public Tensor amax(long[] dims, bool keepdim = false, Tensor? @out = null) => Out(One("amax", this, dims, keepdim), @out);

        public Tensor amin(long[] dims, bool keepdim = false, Tensor? @out = null) => Out(One("amin", this, dims, keepdim), @out);

        private static Tensor Out(Tensor result, Tensor? target)
        {
            if (target is null) return result;
            target.copy_(result);
            result.Dispose();
            return target;
        }

        private Tensor As(ScalarType? type) => type is null || type == dtype ? this : to(type.Value);
    }
}
