using NUnit.Framework;
using Rlhf.Models;
using TorchSharp;

namespace Rlhf.Export.Tests;

public sealed class LlamaWeightsTests : FolderTest
{
    /// <summary>A model whose numbers are not float32 in host memory (here of doubles, on a GPU all) is exported to the bytes of one whose are.</summary>
    [Test]
    public void WeightsElsewhereAreExportedToTheSameBytes()
    {
        var shape = new LlamaConfig
        {
            VocabSize = 61, HiddenSize = 32, IntermediateSize = 48, NumHiddenLayers = 2, NumAttentionHeads = 4, NumKeyValueHeads = 2, HeadDim = 8, MaxPositionEmbeddings = 32,
            TieWordEmbeddings = true, RopeTheta = 100, BosTokenId = 1, EosTokenIds = [2],
        };
        using LlamaModel here = LlamaModel.Create(shape, 3), elsewhere = LlamaModel.Create(shape, 4, dtype: torch.ScalarType.Float64);
        elsewhere.Parameters.CopyFrom(here.Parameters);
        Text("tokenizer.json", "{}");
        OnnxExporter.ExportPolicy(new LlamaWeights(here), Folder, At("here"));
        OnnxExporter.ExportPolicy(new LlamaWeights(elsewhere), Folder, At("elsewhere"));
        string[] files = [.. Directory.GetFiles(At("here")).Select(f => Path.GetFileName(f)!)];
        Assert.That(files, Has.Some.EqualTo("model.onnx.data"));
        foreach (string file in files) Assert.That(File.ReadAllBytes(Path.Combine(At("elsewhere"), file)), Is.EqualTo(File.ReadAllBytes(Path.Combine(At("here"), file))), file);
    }
}
