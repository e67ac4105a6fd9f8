using System.Runtime.InteropServices;

namespace TorchSharp;

public static partial class torch
{
    public static partial class autograd
    {
        /// <summary>What a function's forward leaves for its backward.</summary>
        public class AutogradContext : IDisposable
        {
            private readonly Dictionary<string, object> _data = [];
            private readonly HashSet<long> _notDifferentiable = [];
            private List<Tensor> _saved = [];

            internal AutogradContext()
            {
            }

            public bool MaterializeGrads { get; private set; } = true;

            internal List<Tensor> Outputs { get; set; } = [];

            /// <summary>Keeps tensors until the graph is released. The caller's own tensors stay the caller's.</summary>
            public void save_for_backward(List<Tensor> tensors)
            {
                foreach (Tensor old in _saved) old.Dispose();
                _saved = [.. tensors.Select(tensor => tensor.alias().DetachFromDisposeScope())];
            }

            /// <summary>New handles to what was saved: they belong to the caller (or to the dispose scope that backward runs in).</summary>
            public List<Tensor> get_saved_variables() => [.. _saved.Select(tensor => tensor.alias())];

            public void save_data(string key, object value) => _data[key] = value;

            public object get_data(string key) => _data[key];

            /// <summary>True (from the start): a missing gradient reaches backward as zeros; false: as null.</summary>
            public void set_materialize_grads(bool value) => MaterializeGrads = value;

            public void mark_non_differentiable(List<Tensor> tensors) => _notDifferentiable.UnionWith(tensors.Select(tensor => tensor.Identity));

            public void Dispose()
            {
                Dispose(true);
                GC.SuppressFinalize(this);
            }

            internal bool IsDifferentiable(Tensor tensor) => tensor.is_floating_point() && !_notDifferentiable.Contains(tensor.Identity);

            protected virtual void Dispose(bool disposing)
            {
                foreach (Tensor tensor in _saved) tensor.Dispose();
                _saved = [];
                foreach (Tensor like in Outputs) like.Dispose();
                Outputs = [];
            }
        }

        /// <summary>A differentiable function written in .NET: forward runs without autograd, backward gives the gradients of its tensor arguments.</summary>
        public abstract class Function<T> where T : Function<T>, new()
        {
            public abstract string Name { get; }

            internal abstract List<Tensor> Forward(AutogradContext ctx, object[] vars);

            internal abstract List<Tensor> Backward(AutogradContext ctx, List<Tensor> gradients);

            internal static List<Tensor> Apply(object[] vars)
            {
                var function = new T();
                var context = new AutogradContext();
                List<Tensor> outputs;
                using (no_grad()) outputs = function.Forward(context, vars);
                bool recorded = is_grad_enabled() && vars.OfType<Tensor>().Any(input => input.requires_grad);
                if (!recorded)
                {
                    context.Dispose();
                    return outputs;
                }
                CallerNode.Record(function.Name, vars, outputs, context, function.Backward);
                return outputs;
            }
        }

        /// <summary>A function with one result.</summary>
        public abstract class SingleTensorFunction<T> : Function<T> where T : SingleTensorFunction<T>, new()
        {
            public abstract Tensor forward(AutogradContext ctx, params object[] vars);

            /// <summary>One gradient per argument of forward: null for those that are no tensors or need none.</summary>
            public abstract List<Tensor> backward(AutogradContext ctx, Tensor grad_output);

            public static Tensor apply(params object[] vars) => Apply(vars)[0];

            internal override List<Tensor> Forward(AutogradContext ctx, object[] vars) => [forward(ctx, vars)];

            internal override List<Tensor> Backward(AutogradContext ctx, List<Tensor> gradients) => backward(ctx, gradients[0]);
        }

        /// <summary>A function with several results.</summary>
        public abstract class MultiTensorFunction<T> : Function<T> where T : MultiTensorFunction<T>, new()
        {
            public abstract List<Tensor> forward(AutogradContext ctx, params object[] vars);

            /// <summary>One gradient per argument of forward: null for those that are no tensors or need none.</summary>
            public abstract List<Tensor> backward(AutogradContext ctx, List<Tensor> grad_outputs);

            public static List<Tensor> apply(params object[] vars) => Apply(vars);

            internal override List<Tensor> Forward(AutogradContext ctx, object[] vars) => forward(ctx, vars);

            internal override List<Tensor> Backward(AutogradContext ctx, List<Tensor> gradients) => backward(ctx, gradients);
        }
    }

    /// <summary>The .NET half of a node in the autograd graph; the native half holds a handle to it until the graph goes.</summary>
    private sealed unsafe class CallerNode
    {
        private readonly autograd.AutogradContext _context;
        private readonly Func<autograd.AutogradContext, List<Tensor>, List<Tensor>> _backward;
        private readonly bool[] _isTensor;
        private bool _released;

        private CallerNode(autograd.AutogradContext context, Func<autograd.AutogradContext, List<Tensor>, List<Tensor>> backward, bool[] isTensor)
        {
            _context = context;
            _backward = backward;
            _isTensor = isTensor;
        }

        internal static void Record(string name, object[] vars, List<Tensor> outputs, autograd.AutogradContext context,
            Func<autograd.AutogradContext, List<Tensor>, List<Tensor>> backward)
        {
            // A saved output must not lead back to its own node, or neither would ever be freed: aliases were taken before history is set,
            // and recording replaces the caller's handle by a detached tensor.
            context.Outputs = [.. outputs.Select(output => output.detach().DetachFromDisposeScope())];
            GCHandle self = GCHandle.Alloc(new CallerNode(context, backward, [.. vars.Select(var => var is Tensor)]));
            nint[] ins = [.. vars.OfType<Tensor>().Select(input => input.Handle)], outs = [.. outputs.Select(output => context.IsDifferentiable(output) ? output.Handle : 0)];
            int status;
            fixed (nint* i = ins)
            fixed (nint* o = outs)
                status = Native.tb_record_function(name, i, ins.Length, o, outs.Length, &Backward, &Release, GCHandle.ToIntPtr(self));
            GC.KeepAlive(vars);
            GC.KeepAlive(outputs);
            if (status >= 0) return;
            self.Free();
            context.Dispose();
            throw Native.Failure();
        }

        // As PyTorch does: one gradient per argument, null where the argument is no tensor; nulls too many do no harm.
        private void CheckGradients(List<Tensor> given)
        {
            if (given.Count < _isTensor.Length || given.Skip(_isTensor.Length).Any(gradient => gradient is not null))
                throw new InvalidOperationException($"returned {given.Count} gradients for {_isTensor.Length} arguments; expected one (or null) for each");
            for (int i = 0; i < _isTensor.Length; i++)
                if (!_isTensor[i] && given[i] is not null) throw new InvalidOperationException($"returned a gradient for argument {i}, which is no tensor; expected null");
        }

        // Runs on a thread of the autograd engine. Exceptions cannot cross native frames: they become a message.
        [UnmanagedCallersOnly]
        private static nint Backward(nint self, nint* grads, int gradCount, nint* results, int resultCount)
        {
            try
            {
                var node = (CallerNode)GCHandle.FromIntPtr(self).Target!;
                if (node._released) throw new InvalidOperationException("the graph was freed by an earlier backward; pass retain_graph: true to keep it");
                using DisposeScope scope = NewDisposeScope();
                List<Tensor> gradients = [];
                for (int i = 0; i < gradCount; i++)
                    gradients.Add(grads[i] != 0 ? new Tensor(grads[i]) : node._context.MaterializeGrads ? node._context.Outputs[i].zeros_like() : null!);
                List<Tensor> given = node._backward(node._context, gradients);
                node.CheckGradients(given);
                int next = 0;
                for (int i = 0; i < node._isTensor.Length; i++)
                    if (node._isTensor[i]) results[next++] = given[i] is null ? 0 : given[i].alias().DecoupleFromNativeHandle();
                return 0;
            }
#pragma warning disable CA1031 // see above
            catch (Exception e)
#pragma warning restore CA1031
            {
                return Native.tb_message(e.GetType().Name + ": " + e.Message);
            }
        }

        [UnmanagedCallersOnly]
        private static void Release(nint self, int last)
        {
            GCHandle handle = GCHandle.FromIntPtr(self);
            var node = (CallerNode)handle.Target!;
            node._released = true;
            node._context.Dispose();
            if (last != 0) handle.Free();
        }
    }
}
