using Google.Protobuf;
using NUnit.Framework;
using Rlhf.Core;
using Rlhf.Export.Onnx;

namespace Rlhf.Export.Tests;

/// <summary>Damaged, incomplete and unsafe folders, each with the message that a user reads.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class OnnxFolderTests : IDisposable
{
    private readonly TestFolder _folder = new();

    private string Policy => _folder.In("policy");

    public OnnxFolderTests() => OnnxExporter.ExportPolicy(TinyModel.Random(TinyModel.SmallShape()), _folder.Path, Policy);

    public void Dispose() => _folder.Dispose();

    [Test]
    public void AnExportedPolicyIsAccepted()
    {
        OnnxFolder open = OnnxFolder.Open(Policy, OnnxFolderKind.Policy);
        Assert.Multiple(() =>
        {
            Assert.That(open.Kind, Is.EqualTo(OnnxFolderKind.Policy));
            Assert.That(open.Graphs, Is.EqualTo(new[] { "model.onnx", "rollout.onnx", "sampled.onnx", "scorer.onnx", "scorer_cached.onnx" }));
            Assert.That(open.MaxPositions, Is.EqualTo(64));
            Assert.That(open.VocabularySize, Is.EqualTo(61));
            Assert.That(open.WeightsHash(), Has.Length.EqualTo(64));
        });
    }

    [Test]
    public void MissingFilesAreNamed()
    {
        Refused("nowhere", "no such folder", _folder.In("nowhere"));
        File.Delete(Path.Combine(Policy, "tokenizer.json"));
        Refused("tokenizer", "no tokenizer.json. Text cannot be turned into the tokens that this model was trained on");
        File.Delete(Path.Combine(Policy, "genai_config.json"));
        Refused("configuration", "no genai_config.json (policy) and no rlhf_config.json (reward model) beside model.onnx");
        File.Delete(Path.Combine(Policy, "model.onnx"));
        Refused("model", "no model.onnx. Name the folder that holds model.onnx itself.");
        File.WriteAllText(Path.Combine(Policy, "config.json"), "{}");
        Refused("Hugging Face", "It looks like a Hugging Face folder: make an ONNX folder of it with 'rlhf-optimize export");
    }

    [Test]
    public void TheOtherKindIsRefused()
    {
        Assert.That(() => OnnxFolder.Open(Policy, OnnxFolderKind.Reward),
            Throws.TypeOf<BadModelException>().With.Message.Contains("this is a policy (it has genai_config.json); expected a reward model"));
        OnnxExporter.ExportReward(TinyModel.Random(TinyModel.SmallShape(), scoreHead: true), _folder.Path, _folder.In("reward"));
        Assert.That(OnnxFolder.Open(_folder.In("reward"), OnnxFolderKind.Reward).MaxPositions, Is.EqualTo(64));
        Assert.That(() => OnnxFolder.Open(_folder.In("reward"), OnnxFolderKind.Policy), Throws.TypeOf<BadModelException>());
    }

    [Test]
    public void DamagedFilesAreNamed()
    {
        string data = Path.Combine(Policy, "model.onnx.data");
        using (FileStream stream = File.OpenWrite(data)) stream.SetLength(stream.Length - 5);
        Refused("truncated weights", "the data file is truncated or belongs to another model");
        File.Delete(data);
        Refused("no weights", "model.onnx.data, which is missing. Copy the whole folder, data file included.");
        byte[] model = File.ReadAllBytes(Path.Combine(Policy, "model.onnx"));
        File.WriteAllBytes(Path.Combine(Policy, "model.onnx"), model[..(model.Length / 2)]);
        Refused("truncated graph", "not an ONNX file, or a truncated one");
        File.WriteAllBytes(Path.Combine(Policy, "model.onnx"), []);
        Refused("empty graph", "holds no graph (0 bytes)");
        File.WriteAllText(Path.Combine(Policy, "genai_config.json"), "{\"model\": {}}");
        Refused("empty configuration", "not a configuration that can be used");
    }

    [TestCase("location", "../model.onnx.data", "weights must lie inside the model's folder")]
    [TestCase("location", "/etc/passwd", "weights must lie inside the model's folder")]
    [TestCase("location", "sub/../../x", "weights must lie inside the model's folder")]
    [TestCase("location", "C:\\x", "weights must lie inside the model's folder")]
    [TestCase("location", "", "weights must lie inside the model's folder")]
    [TestCase("offset", "999999999999", "truncated or belongs to another model")]
    [TestCase("offset", "9223372036854775807", "truncated or belongs to another model")]
    [TestCase("offset", "-8", "expected a whole number of bytes")]
    [TestCase("length", "12", "but its entry says 12 bytes")]
    public void UnsafeWeightsAreRefused(string key, string value, string message)
    {
        Edit(model => model.Graph.Initializer.First(t => t.DataLocation == TensorProto.Types.DataLocation.External)
            .ExternalData.First(entry => entry.Key == key).Value = value);
        Refused(key, message);
    }

    [Test]
    public void ImpossibleShapesAreRefused()
    {
        Edit(model => model.Graph.Initializer.First(t => t.DataLocation == TensorProto.Types.DataLocation.External).Dims[0] = long.MaxValue);
        Refused("shape", "impossible shape");
    }

    [Test]
    public void WeightsInsideASubgraphAreChecked()
    {
        Edit(model =>
        {
            TensorProto copy = model.Graph.Initializer.First(t => t.DataLocation == TensorProto.Types.DataLocation.External).Clone();
            copy.ExternalData.First(entry => entry.Key == "location").Value = "../x";
            model.Graph.Node[0].Attribute.Add(GraphBuilder.Graph("body", new GraphProto { Initializer = { copy } }));
        });
        Refused("subgraph", "weights must lie inside the model's folder");
    }

    [Test]
    public void ALinkOutOfTheFolderIsRefused()
    {
        string data = Path.Combine(Policy, "model.onnx.data");
        File.Move(data, _folder.In("elsewhere"));
        File.CreateSymbolicLink(data, _folder.In("elsewhere"));
        Refused("link", "a link out of the model's folder");
    }

    private void Edit(Action<ModelProto> change)
    {
        string file = Path.Combine(Policy, "model.onnx");
        ModelProto model = ModelProto.Parser.ParseFrom(File.ReadAllBytes(file));
        change(model);
        File.WriteAllBytes(file, model.ToByteArray());
    }

    private void Refused(string what, string message, string? folder = null) =>
        Assert.That(() => OnnxFolder.Open(folder ?? Policy), Throws.TypeOf<BadModelException>().With.Message.Contains(message), what);
}
