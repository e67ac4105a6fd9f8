namespace TorchSharp;

public static partial class torch
{
    /// <summary>Gradients by reverse accumulation.</summary>
    public static partial class autograd
    {
        /// <summary>
        /// Adds ∂(Σ tensors·grad_tensors)/∂leaf to the grad of every leaf (or of <paramref name="inputs"/> only). A null gradient stands for 1 and
        /// needs a one-element tensor.
        /// </summary>
        public static unsafe void backward(IList<Tensor> tensors, IList<Tensor>? grad_tensors = null, bool? retain_graph = null, bool create_graph = false, IList<Tensor>? inputs = null)
        {
            nint[] roots = Handles(tensors), grads = Handles(grad_tensors), leaves = Handles(inputs);
            fixed (nint* r = roots)
            fixed (nint* g = grads)
            fixed (nint* l = leaves)
            {
                Native.Check(Native.tb_backward(r, roots.Length, g, grads.Length, retain_graph is null ? -1 : retain_graph.Value ? 1 : 0, create_graph ? 1 : 0, l, leaves.Length));
            }
            GC.KeepAlive(tensors);
            GC.KeepAlive(grad_tensors);
            GC.KeepAlive(inputs);
        }

        public static void backward(Tensor tensor, IList<Tensor>? grad_tensors = null, bool? retain_graph = null, bool create_graph = false, IList<Tensor>? inputs = null)
            => backward([tensor], grad_tensors, retain_graph, create_graph, inputs);

        public static void backward(Tensor tensor, Tensor grad_tensor, bool? retain_graph = null, bool create_graph = false, IList<Tensor>? inputs = null)
            => backward([tensor], [grad_tensor], retain_graph, create_graph, inputs);

        /// <summary>The gradients of <paramref name="outputs"/> with respect to <paramref name="inputs"/>, without touching any grad. Null where unused and allowed.</summary>
        public static unsafe IList<Tensor> grad(IList<Tensor> outputs, IList<Tensor> inputs, IList<Tensor>? grad_outputs = null, bool retain_graph = false, bool create_graph = false, bool allow_unused = false)
        {
            nint[] roots = Handles(outputs), leaves = Handles(inputs), grads = Handles(grad_outputs), results = new nint[leaves.Length];
            fixed (nint* r = roots)
            fixed (nint* l = leaves)
            fixed (nint* g = grads)
            fixed (nint* o = results)
            {
                Native.Check(Native.tb_autograd_grad(r, roots.Length, l, leaves.Length, g, grads.Length, retain_graph ? 1 : 0, create_graph ? 1 : 0, allow_unused ? 1 : 0, o));
            }
            GC.KeepAlive(outputs);
            GC.KeepAlive(inputs);
            GC.KeepAlive(grad_outputs);
            return Array.ConvertAll(results, handle => handle == 0 ? null! : new Tensor(handle));
        }

        private static nint[] Handles(IList<Tensor>? tensors) => tensors is null ? [] : [.. tensors.Select(tensor => tensor is null ? 0 : tensor.Handle)];
    }
}
