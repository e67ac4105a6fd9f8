using static TorchSharp.Operators;

namespace TorchSharp;

public static partial class torch
{
    // Indexing as in PyTorch: numbers, slices, None and Ellipsis make a view; tensors among the indices then gather from that view.
    public partial class Tensor
    {
        public Tensor this[params TensorIndex[] indices]
        {
            get => index(indices);
            set => index_put_(value, indices, false);
        }

        public Tensor this[params Tensor[] indices]
        {
            get => index(indices);
            set => index_put_(value, indices, false);
        }

        public Tensor this[params long[] indices]
        {
            get => At(indices);
            set => Assign(At(indices), value);
        }

        public Tensor this[long i1]
        {
            get => At(i1);
            set => Assign(At(i1), value);
        }

        public Tensor this[long i1, long i2]
        {
            get => At(i1, i2);
            set => Assign(At(i1, i2), value);
        }

        public Tensor this[long i1, long i2, long i3]
        {
            get => At(i1, i2, i3);
            set => Assign(At(i1, i2, i3), value);
        }

        public Tensor this[long i1, long i2, long i3, long i4]
        {
            get => At(i1, i2, i3, i4);
            set => Assign(At(i1, i2, i3, i4), value);
        }

        public Tensor index(params TensorIndex[] indices)
        {
            (Tensor view, List<Tensor?> positions) = View(indices);
            if (positions.All(p => p is null)) return ReferenceEquals(view, this) ? alias() : view;
            Tensor result = One("index.Tensor", view, positions.ToArray());
            if (!ReferenceEquals(view, this)) view.Dispose();
            return result;
        }

        public Tensor index(params Tensor[] indices) => One("index.Tensor", this, indices);

        public Tensor index_put_(Tensor value, params TensorIndex[] indices) => index_put_(value, indices, false);

        public Tensor index_put_(Tensor value, TensorIndex[] indices, bool accumulate = false)
        {
            (Tensor view, List<Tensor?> positions) = View(indices);
            if (!positions.All(p => p is null)) InPlace("index_put_", view, positions.ToArray(), value, accumulate);
            else if (accumulate) view.add_(value);
            else view.copy_(value);
            if (!ReferenceEquals(view, this)) view.Dispose();
            return this;
        }

        public Tensor index_put_(Tensor value, params Tensor[] indices) => index_put_(value, indices, false);

        public Tensor index_put_(Tensor value, Tensor[] indices, bool accumulate = false) => InPlace("index_put_", this, indices, value, accumulate);

        public Tensor index_put_(Scalar value, params TensorIndex[] indices)
        {
            using Tensor number = FromScalar(value, dtype, device, false);
            return index_put_(number, indices, false);
        }

        public Tensor index_put_(Scalar value, params Tensor[] indices)
        {
            using Tensor number = FromScalar(value, dtype, device, false);
            return index_put_(number, indices, false);
        }

        private static void Assign(Tensor view, Tensor value)
        {
            view.copy_(value);
            view.Dispose();
        }

        private Tensor At(params ReadOnlySpan<long> indices)
        {
            Tensor view = this;
            foreach (long i in indices) view = Next(view, view.select(0, i));
            return ReferenceEquals(view, this) ? alias() : view;
        }

        // Intermediate views are dropped at once, so that an indexer leaves one tensor behind.
        private Tensor Next(Tensor before, Tensor after)
        {
            if (!ReferenceEquals(before, this)) before.Dispose();
            return after;
        }

        private (Tensor View, List<Tensor?> Positions) View(TensorIndex[] indices)
        {
            int named = indices.Sum(i => i.Type switch
            {
                TensorIndex.Kind.Single or TensorIndex.Kind.Slice => 1,
                TensorIndex.Kind.Tensor => i.Positions!.dtype is ScalarType.Bool or ScalarType.Byte ? (int)i.Positions.dim() : 1,
                _ => 0,
            });
            Tensor view = this;
            List<Tensor?> positions = [];
            long dimension = 0;
            foreach (TensorIndex i in indices)
            {
                switch (i.Type)
                {
                    case TensorIndex.Kind.Single:
                        view = Next(view, view.select(dimension, i.Start ?? 0));
                        break;
                    case TensorIndex.Kind.Slice:
                        if (i.Start is not null || i.Stop is not null || i.Step is not null)
                            view = Next(view, One("slice.Tensor", view, dimension, i.Start, i.Stop, i.Step ?? 1));
                        dimension++;
                        break;
                    case TensorIndex.Kind.None:
                        view = Next(view, view.unsqueeze(dimension++));
                        break;
                    case TensorIndex.Kind.Ellipsis:
                        dimension += dim() - named;
                        break;
                    case TensorIndex.Kind.Bool:
                        view = Next(view, view.unsqueeze(dimension));
                        Put(positions, dimension++, tensor(i.Start != 0, device: device).unsqueeze(0));
                        break;
                    case TensorIndex.Kind.Tensor:
                        Tensor place = i.Positions!;
                        Put(positions, dimension, place);
                        dimension += place.dtype is ScalarType.Bool or ScalarType.Byte ? place.dim() : 1;
                        break;
                }
            }
            return (view, positions);
        }

        private static void Put(List<Tensor?> positions, long dimension, Tensor tensor)
        {
            while (positions.Count < dimension) positions.Add(null);
            positions.Add(tensor);
        }
    }
}
