using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Models;

/// <summary>What one layer's forward pass leaves for its backward pass. All [batch · time, width].</summary>
internal sealed class LayerStates(Workspace space, LlamaConfig config, long rows)
{
    /// <summary>The residual stream as it enters the layer.</summary>
    public Matrix X { get; } = space.Take(rows, config.HiddenSize);
    public Matrix Normed1 { get; } = space.Take(rows, config.HiddenSize);
    public Matrix Inverse1 { get; } = space.Take(rows, 1);

    /// <summary>Rotated and scaled by 1/√headDim.</summary>
    public Matrix Query { get; } = space.Take(rows, config.QueryWidth);

    /// <summary>Rotated.</summary>
    public Matrix Key { get; } = space.Take(rows, config.KeyValueWidth);
    public Matrix Value { get; } = space.Take(rows, config.KeyValueWidth);

    /// <summary>[batch, heads, time]</summary>
    public Matrix LogSum { get; } = space.Take(rows, config.NumAttentionHeads);
    public Matrix Mixed { get; } = space.Take(rows, config.QueryWidth);

    /// <summary>The residual stream between attention and MLP.</summary>
    public Matrix Middle { get; } = space.Take(rows, config.HiddenSize);
    public Matrix Normed2 { get; } = space.Take(rows, config.HiddenSize);
    public Matrix Inverse2 { get; } = space.Take(rows, 1);
    public Matrix Gate { get; } = space.Take(rows, config.IntermediateSize);
    public Matrix Up { get; } = space.Take(rows, config.IntermediateSize);
}

/// <summary>A forward pass of <see cref="FusedTrunk"/> that waits for its backward pass. The autograd graph owns the workspace's buffer meanwhile.</summary>
internal sealed class FusedPass
{
    private Workspace? _space;

    public LayerStates[] States { get; private set; } = [];
    public Matrix Last { get; private set; }
    public Matrix LastInverse { get; private set; }
    public int[] Tokens { get; private set; } = [];
    public int Batch { get; private set; }
    public int Time { get; private set; }

    /// <summary>The backward pass overwrites what was kept, so there is one only.</summary>
    public Workspace Space => _space
        ?? throw new InvalidOperationException("the gradient of the hidden states can be handed to backward once; compute the hidden states again for a second time");

    public void Fill(Workspace space, LayerStates[] states, Matrix last, Matrix lastInverse, int[] tokens, int batch, int time)
    {
        _space = space;
        (States, Last, LastInverse, Tokens, Batch, Time) = (states, last, lastInverse, tokens, batch, time);
    }

    public Workspace Finish()
    {
        Workspace space = Space;
        _space = null;
        return space;
    }
}

/// <summary>The autograd node of <see cref="FusedTrunk"/>. The embedding stands for all parameters; their gradients are added in place.</summary>
internal sealed class FusedTrunkFunction : autograd.SingleTensorFunction<FusedTrunkFunction>
{
    private const string Pass = "pass", Trunk = "trunk";

    public override string Name => "LlamaTrunk";

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var trunk = (FusedTrunk)vars[2];
        var pass = new FusedPass();
        Tensor hidden = trunk.Run((Tensor)vars[1], pass);
        using Tensor buffer = pass.Space.Lend();
        ctx.save_for_backward([buffer]);
        ctx.save_data(Trunk, trunk);
        ctx.save_data(Pass, pass);
        return hidden;
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        var pass = (FusedPass)ctx.get_data(Pass);
        Workspace space = pass.Space;
        space.Restore(ctx.get_saved_variables()[0]);
        ((FusedTrunk)ctx.get_data(Trunk)).Backward(pass, grad_output);
        return [null!, null!, null!];
    }
}
