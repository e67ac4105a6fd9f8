using NUnit.Framework;
using Rlhf.Core;

namespace Rlhf.Export.Tests;

/// <summary>The gate passes equal engines, stops unequal ones and names the layer.</summary>
public sealed class EqualityGateTests
{
    [Test]
    public void DistancesAreThoseOfTheFormulas()
    {
        // p: 1/2 and 1/4 against 1/4 and 1/4. mean |Δp| = 1/8, mean exp|Δlog p| = (2 + 1)/2, max |Δlog p| = ln 2.
        GateResult result = EqualityGate.Compare([MathF.Log(0.5f), MathF.Log(0.25f)], [MathF.Log(0.25f), MathF.Log(0.25f)]);
        Assert.Multiple(() =>
        {
            Assert.That(result.Tokens, Is.EqualTo(2));
            Assert.That(result.MeanProbabilityDifference, Is.EqualTo(0.125).Within(1e-7));
            Assert.That(result.MeanRatio, Is.EqualTo(1.5).Within(1e-6));
            Assert.That(result.MaxLogProbDifference, Is.EqualTo(Math.Log(2)).Within(1e-6));
            Assert.That(result.Passed, Is.False);
            Assert.That(EqualityGate.Compare([-1], [-1.0001f]).Passed);
            Assert.That(EqualityGate.Compare([-1], [float.NaN]).Passed, Is.False);
        });
    }

    [Test]
    public void AnExportPassesAgainstItsOwnWeights()
    {
        TinyModel model = TinyModel.Random(TinyModel.SmallShape(bias: true, tied: false));
        using TestFolder folder = new();
        OnnxExporter.ExportPolicy(model, folder.Path, folder.In("policy"));
        GateResult result = EqualityGate.Check(folder.In("policy"), model.Shape, Probes(model), new Reference(model));
        Assert.That(result.Tokens, Is.EqualTo(11 + 6));
        Assert.That(result.MaxLogProbDifference, Is.LessThan(1e-4));
    }

    [TestCase("model.layers.1.mlp.down_proj.weight", "The first difference is layer 1 (/model/layers.1)")]
    [TestCase("model.layers.0.self_attn.q_proj.weight", "The first difference is layer 0 (/model/layers.0)")]
    [TestCase("model.embed_tokens.weight", "The first difference is the embedding")]
    [TestCase("lm_head.weight", "the difference is in the final norm or the vocabulary head")]
    public void TheFirstLayerThatDiffersIsNamed(string changed, string message)
    {
        TinyModel model = TinyModel.Random(TinyModel.SmallShape(tied: false));
        using TestFolder folder = new();
        OnnxExporter.ExportPolicy(model, folder.Path, folder.In("policy"));
        Array.Reverse(model.Parameters[changed]);
        Assert.That(() => EqualityGate.Check(folder.In("policy"), model.Shape, Probes(model), new Reference(model)),
            Throws.TypeOf<NumericalException>().With.Message.Contains(message).And.Message.Contains("limit 0.005"));
    }

    private static long[][] Probes(TinyModel model) => [TinyModel.Tokens(12, model.Shape.VocabularySize, 1), TinyModel.Tokens(7, model.Shape.VocabularySize, 2)];

    private sealed class Reference(TinyModel model) : IGateReference
    {
        public float[] Logits(ReadOnlySpan<long> tokens) => Flat(NaiveLlama.Logits(model, tokens));

        public IReadOnlyList<float[]> HiddenStates(ReadOnlySpan<long> tokens)
        {
            List<double[][]> residuals = [];
            NaiveLlama.Hidden(model, tokens, residuals);
            return [.. residuals.Select(Flat)];
        }

        private static float[] Flat(double[][] rows) => [.. rows.SelectMany(row => row).Select(x => (float)x)];
    }
}
