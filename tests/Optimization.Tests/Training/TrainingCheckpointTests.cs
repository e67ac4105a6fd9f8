using NUnit.Framework;
using Rlhf.Core;
using Rlhf.Trajectories;
using static TorchSharp.torch;

namespace Rlhf.Optimization.Tests;

/// <summary>A seal says that bytes are as they were, not who wrote them: what is behind it must stand by itself.</summary>
public sealed class TrainingCheckpointTests : FolderTest
{
    [Test]
    public void AStateThatIsSealedAndWrongIsToldAndTouchesNothing(
        [Values("null", "{}", "[", """{"Position": {"Done": -1}}""", """{"Position": {"Done": 3}, "Numbers": {}, "Steps": {}, "Inputs": {}}""", """{"Position": {"Done": 3}, "Numbers": {"n": [1]}, "Steps": {}, "Inputs": {}}""")] string state)
    {
        double[] numbers = [1, 2];
        using Tensor weights = zeros(4);
        TrainingCheckpoint checkpoint = Checkpoint(weights, () => numbers, n => numbers = [n[0] + 10, n[1]]);
        checkpoint.Write(new TrainingPosition(3, 0.5, 10, 1, 1));
        Assert.That(checkpoint.Read()?.Done, Is.EqualTo(3));
        Assert.That(numbers, Is.EqualTo(new double[] { 11, 2 }));

        string folder = Path.Combine(checkpoint.Folder, "000003");
        File.WriteAllText(Path.Combine(folder, "state.json"), state);
        FolderSeal.Write(folder);
        Assert.That(checkpoint.Read, Throws.TypeOf<BadDataException>().With.Message.Contains("no whole checkpoint is left"));
        Assert.That(numbers, Is.EqualTo(new double[] { 11, 2 }), "untouched");
    }

    [Test]
    public void WeightsOfAnotherSizeAreTold()
    {
        using Tensor four = zeros(4), five = ones(5);
        Checkpoint(four, () => [1, 2], _ => { }).Write(new TrainingPosition(3, 0.5, 10, 1, 1));
        Assert.That(Checkpoint(five, () => [1, 2], _ => { }).Read, Throws.TypeOf<BadDataException>().With.Message.Contains("weights.safetensors has no such tensor weights"));
        Assert.That(five.sum().item<float>(), Is.EqualTo(5));
    }

    private TrainingCheckpoint Checkpoint(Tensor weights, Func<double[]> get, Action<double[]> set)
    {
        var checkpoint = TrainingCheckpoint.Of("test", new SftConfig { Output = Folder, Model = Path.Combine(Folder, "model") }, []);
        checkpoint.Track("weights", weights);
        checkpoint.Track("n", get, set);
        return checkpoint;
    }
}
