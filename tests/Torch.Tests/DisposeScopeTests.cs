using NUnit.Framework;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Torch.Tests;

/// <summary>Who owns a tensor, and that every native tensor goes.</summary>
[TestFixture]
public sealed class DisposeScopeTests
{
    [Test]
    public void Scope_disposes_what_was_made_in_it_but_for_what_left_it()
    {
        Tensor outer, detached;
        using (DisposeScope first = NewDisposeScope())
        {
            Tensor moved;
            using (DisposeScope second = NewDisposeScope())
            {
                Assert.That(CurrentDisposeScope, Is.SameAs(second));
                Tensor lost = ones(new long[] { 2 });
                moved = (lost + 1).MoveToOuterDisposeScope();
                detached = (lost + 2).DetachFromDisposeScope();
                outer = second.MoveToOther(first, lost * 3);
                Assert.That((second.DisposablesCount, first.DisposablesCount), Is.EqualTo((1, 2)));
                second.Dispose();
                Assert.That(lost.IsInvalid, Is.True);
                Assert.That(() => lost.sum(), Throws.TypeOf<ObjectDisposedException>());
            }
            Assert.That((moved.sum().ToSingle(), outer.sum().ToSingle()), Is.EqualTo((4f, 6f)));
            Assert.That(CurrentDisposeScope, Is.SameAs(first));
        }
        Assert.That(outer.IsInvalid, Is.True);
        Assert.That(detached.sum().ToSingle(), Is.EqualTo(6f));
        detached.Dispose();
        Assert.That(CurrentDisposeScope, Is.Null);
    }

    [Test]
    public void Moved_out_of_the_outermost_scope_is_the_callers()
    {
        Tensor kept;
        using (NewDisposeScope()) kept = ones(new long[] { 2 }).MoveToOuterDisposeScope();
        Assert.That(kept.IsInvalid, Is.False);
        kept.Dispose();
        Assert.That(kept.IsInvalid, Is.True);
        kept.Dispose(); // twice is harmless
    }

    [Test]
    public void DisposeEverythingBut_keeps_in_the_scope()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor a = ones(new long[] { 1 }), b = ones(new long[] { 1 });
        scope.DisposeEverythingBut(a);
        Assert.That((a.IsInvalid, b.IsInvalid, scope.Contains(a), scope.DisposablesCount), Is.EqualTo((false, true, true, 1)));
    }

    [Test]
    public void Attach_takes_over_tensors_and_other_disposables()
    {
        Tensor free = ones(new long[] { 1 });
        var stream = new MemoryStream();
        using (DisposeScope scope = NewDisposeScope()) scope.Attach(free, stream);
        Assert.That((free.IsInvalid, stream.CanRead), Is.EqualTo((true, false)));
    }

    [Test]
    public void Statistics_of_the_thread_add_up()
    {
        ThreadDisposeScopeStatistics statistics = DisposeScopeManager.Statistics;
        statistics.Reset();
        Tensor outside = ones(new long[] { 1 });
        using (NewDisposeScope())
        {
            ones(new long[] { 1 }).Dispose();
            _ = ones(new long[] { 1 });
            _ = ones(new long[] { 1 }).DetachFromDisposeScope();
        }
        Assert.That((statistics.CreatedOutsideScopeCount, statistics.CreatedInScopeCount, statistics.DisposedInScopeCount, statistics.DetachedFromScopeCount, statistics.ThreadTotalLiveCount),
            Is.EqualTo((1L, 3L, 2L, 1L, 2L)));
        outside.Dispose();
        Assert.That(statistics.DisposedOutsideScopeCount, Is.EqualTo(1));
    }

    [Test]
    public void Native_live_count_returns_to_where_it_was()
    {
        long native = Native.tb_live_tensors(), managed = Tensor.TotalCount;
        using (NewDisposeScope())
        {
            Tensor x = randn(new long[] { 4, 4 }).requires_grad_();
            foreach (Tensor part in x.split(1)) _ = part.exp();
            (Tensor values, Tensor indices) = x.topk(2);
            _ = x.unique(return_inverse: true);
            using (no_grad()) x.add_(values.sum(), 0.5);
            _ = x[0, 1];
            Tensor y = x.clone();
            y[TensorIndex.Colon, 1] = zeros(new long[] { 4 });
            y[x.gt(0)] = tensor(0f);
            Assert.That(Native.tb_live_tensors(), Is.GreaterThan(native));
        }
        Assert.That((Native.tb_live_tensors(), Tensor.TotalCount), Is.EqualTo((native, managed)));
    }

    [Test]
    public void Failing_calls_leave_no_tensor_behind()
    {
        long native = Native.tb_live_tensors();
        using (NewDisposeScope())
            Assert.That(() => ones(new long[] { 2, 3 }).matmul(ones(new long[] { 2, 3 })), Throws.Exception);
        Assert.That(Native.tb_live_tensors(), Is.EqualTo(native));
    }

    [Test]
    public void Frombuffer_shares_memory_and_unpins_with_the_last_view()
    {
        float[] numbers = [1, 2, 3, 4];
        Tensor all = frombuffer(numbers, float32);
        Tensor half = all.narrow(0, 2, 2);
        all.Dispose();
        half.mul_(10);
        Assert.That(numbers, Is.EqualTo(new float[] { 1, 2, 30, 40 }));
        half.Dispose();
        Assert.That(() => frombuffer(numbers, float32, count: 5), Throws.ArgumentException);
    }
}
