namespace TorchSharp;

public static partial class torch
{
    /// <summary>One index of a tensor: a number, a slice, a tensor (of positions or a mask), a new axis (None) or all remaining axes (Ellipsis).</summary>
    public struct TensorIndex
    {
        internal enum Kind
        {
            None, Ellipsis, Single, Slice, Bool, Tensor,
        }

        private TensorIndex(Kind kind, long? start = null, long? stop = null, long? step = null, Tensor? tensor = null)
        {
            Type = kind;
            Start = start;
            Stop = stop;
            Step = step;
            Positions = tensor;
        }

        internal Kind Type { get; }

        internal long? Start { get; }

        internal long? Stop { get; }

        internal long? Step { get; }

        internal Tensor? Positions { get; }

        public static TensorIndex Ellipsis = new(Kind.Ellipsis);

        public static TensorIndex None = new(Kind.None);

        public static TensorIndex Null = new(Kind.None);

        public static TensorIndex Colon = new(Kind.Slice);

        public static TensorIndex Slice(long? start = null, long? stop = null, long? step = null) => new(Kind.Slice, start, stop, step);

        public static TensorIndex Slice((int? start, int? end) range) => new(Kind.Slice, range.start, range.end);

        public static TensorIndex Slice(Range range) => new(Kind.Slice, FromStart(range.Start), range.End.Equals(Index.End) ? null : FromStart(range.End));

        public static TensorIndex Bool(bool value) => new(Kind.Bool, value ? 1 : 0);

        public static TensorIndex Single(long? index) => new(Kind.Single, index);

        public static TensorIndex Tensor(Tensor tensor) => new(Kind.Tensor, tensor: tensor);

        public static implicit operator TensorIndex(long value) => Single(value);

        public static implicit operator TensorIndex((int? start, int? end) range) => Slice(range);

        public static implicit operator TensorIndex(Range range) => Slice(range);

        public static implicit operator TensorIndex(Index index) => Single(FromStart(index));

        // ^3 is PyTorch's -3.
        private static long FromStart(Index index) => index.IsFromEnd ? -index.Value : index.Value;
    }
}
