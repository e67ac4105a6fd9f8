using System.Text.Json;

namespace Rlhf.Pipeline.Tests;

/// <summary>The shipped sentiment reward model: small, right and calibrated on held-out reviews.</summary>
public sealed class ShippedRewardModelTests
{
    private const int Rows = 500;

    [Test]
    public void IsAtMostTenMegabytes() =>
        Assert.That(Directory.GetFiles(Path.Combine(Checkout.Root, "models", "reward-imdb")).Sum(f => new FileInfo(f).Length), Is.LessThan(10_000_000));

    /// <summary>87.1 % of all 2,850; a sample of 500 that drew all of them alike would be within ±3 % (two deviations).</summary>
    [Test]
    public void JudgesHeldOutReviews()
    {
        string labelled = Checkout.Shared("data/imdb/train.jsonl.gz"); // or skipped
        Assert.That(labelled, Does.Exist);
        Ended ended = Programs.Rlhf("eval", "reward", "--model", "models/reward-imdb", "--config", "configs/reward-imdb.yaml", "--rows", $"{Rows}", "--json", "--set", "threads=0");
        Assert.That(ended.Code, Is.Zero, ended.ToString());
        using JsonDocument json = JsonDocument.Parse(ended.Output);
        JsonElement accuracy = json.RootElement.GetProperty("Accuracy"), calibration = json.RootElement.GetProperty("Calibration");
        TestContext.Out.WriteLine(ended.Output);
        Assert.That(accuracy.GetProperty("Count").GetInt32(), Is.EqualTo(Rows));
        Assert.That(accuracy.GetProperty("Value").GetDouble(), Is.EqualTo(0.871).Within(0.03));
        Assert.That(calibration.GetProperty("ExpectedError").GetDouble(), Is.LessThan(0.08), "15 bins of 500 add about 0.03 of noise to 0.044");
    }
}
