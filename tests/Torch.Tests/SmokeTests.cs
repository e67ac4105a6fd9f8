using NUnit.Framework;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Torch.Tests;

[TestFixture]
public sealed class SmokeTests
{
    [Test]
    public void Adds_and_multiplies()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor a = tensor(new float[] { 1, 2, 3, 4 }, new long[] { 2, 2 });
        Tensor b = a.matmul(a) + 1;
        Assert.That(b.data<float>().ToArray(), Is.EqualTo(new float[] { 8, 11, 16, 23 }));
    }
}
