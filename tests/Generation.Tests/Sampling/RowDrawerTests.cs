using NUnit.Framework;
using Rlhf.Core;

namespace Rlhf.Generation.Tests.Sampling;

public sealed class RowDrawerTests
{
    /// <summary>The row that cannot be drawn is the one to look at: of many prompts and samples, in one of many iterations.</summary>
    [Test]
    public void LogitsThatAreNotFiniteNameTheRow()
    {
        PolicyFolder folder = TestPolicies.Random();
        SamplingOptions options = new() { MaxNewTokens = 4, Iteration = 7 };
        Row row = Row.Start(new PreparedPrompt(0, new Prompt { Id = "p31", Text = "" }, 1, [1, 2]), 3, options, folder, null);
        RowDrawer drawer = new(folder, options);
        float[] logits = new float[folder.VocabularySize];
        drawer.Draw(row, logits);
        logits[5] = float.NaN;
        Assert.That(() => drawer.Draw(row, logits), Throws.TypeOf<NumericalException>()
            .With.Message.StartsWith("Iteration 7, prompt 'p31', sample 3, token 2 of the response: The policy's logits are not finite: 1 NaN and 0 +Inf of 61."));
        Assert.That(() => drawer.Take(row, (0, float.NaN)), Throws.TypeOf<NumericalException>().With.Message.StartsWith("Iteration 7, prompt 'p31', sample 3, token 2 of the response: The policy's logits"));
    }
}
