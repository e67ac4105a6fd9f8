using System.Text;
using NUnit.Framework;

namespace Rlhf.Core.Tests;

/// <summary>ONNX files from strangers: weights outside the folder, sizes that lie, bytes that are no message.</summary>
public sealed class OnnxFileTests
{
    private static byte[] Field(int number, byte[] bytes) => [(byte)(number << 3 & 0xFF | 2), .. Varint((ulong)bytes.Length), .. bytes];

    private static byte[] Field(int number, string text) => Field(number, Encoding.UTF8.GetBytes(text));

    private static byte[] Number(int number, ulong value) => [.. Varint((ulong)number << 3), .. Varint(value)];

    private static byte[] Varint(ulong value)
    {
        List<byte> bytes = [];
        for (; value >= 0x80; value >>= 7) bytes.Add((byte)(value | 0x80));
        bytes.Add((byte)value);
        return [.. bytes];
    }

    private static byte[] Entry(string key, string value) => Field(13, [.. Field(1, key), .. Field(2, value)]);

    // dims 1, data_type 2 (1: float), name 8, external_data 13, data_location 14.
    private static byte[] Tensor(string location, string offset = "0", string length = "16", ulong dimension = 4, bool flag = true) =>
        [.. Number(1, dimension), .. Number(2, 1), .. Field(8, "w"), .. Entry("location", location), .. Entry("offset", offset), .. Entry("length", length), .. flag ? Number(14, 1) : []];

    // graph 7 with one node 1 and the tensor as initializer 5.
    private static byte[] Model(byte[] tensor) => Field(7, [.. Field(1, Field(4, "Add")), .. Field(5, tensor)]);

    private static string? Problem(TemporaryFolder folder, byte[] model)
    {
        File.WriteAllBytes(folder["m/model.onnx"], model);
        try
        {
            OnnxFile.Check(folder["m/model.onnx"]);
            return null;
        }
        catch (BadModelException error)
        {
            return error.Message;
        }
    }

    private static TemporaryFolder Folder()
    {
        TemporaryFolder folder = new();
        folder.Write("m/model.onnx.data", new string('x', 16));
        folder.Write("m/sub/w", new string('x', 16));
        folder.Write("outside", new string('x', 16));
        return folder;
    }

    [TestCase("model.onnx.data")]
    [TestCase("sub/w")]
    public void WeightsInsideAreRead(string location)
    {
        using TemporaryFolder folder = Folder();
        Assert.That(Problem(folder, Model(Tensor(location))), Is.Null);
    }

    [TestCase("../outside")]
    [TestCase("sub/../../outside")]
    [TestCase("/etc/hostname")]
    [TestCase("sub/./w")]
    [TestCase("..\\outside")]
    [TestCase("C:outside")]
    [TestCase("")]
    [TestCase("link")]
    [TestCase("linked/outside")]
    public void WeightsOutsideAreRefused(string location)
    {
        using TemporaryFolder folder = Folder();
        File.CreateSymbolicLink(folder["m/link"], folder["outside"]);
        Directory.CreateSymbolicLink(folder["m/linked"], folder.Path);
        Assert.That(Problem(folder, Model(Tensor(location))), Does.EndWith($"points to '{location}'; weights must lie inside the model's folder. Do not use this model unless you know who made it."));
        Assert.That(Problem(folder, Model(Tensor(location, flag: false))), Is.Not.Null, "entries without the flag are no way around");
        // Within an attribute of a node (attribute 5, its tensor 5) and within a graph of a node (6).
        Assert.That(Problem(folder, Field(7, Field(1, Field(5, Field(5, Tensor(location)))))), Does.Contain("must lie inside"));
        Assert.That(Problem(folder, Field(7, Field(1, Field(5, Field(6, Field(5, Tensor(location))))))), Does.Contain("must lie inside"));
    }

    [Test]
    public void AFolderThatIsALinkItselfIsTheUsersOwn()
    {
        using TemporaryFolder folder = Folder();
        Assert.That(Problem(folder, Model(Tensor("model.onnx.data"))), Is.Null);
        Directory.CreateSymbolicLink(folder["alias"], folder["m"]);
        OnnxFile.Check(folder["alias/model.onnx"]);
    }

    [TestCase("0", "17", 4UL, "lies at bytes 0 to 17")]
    [TestCase("1", "16", 4UL, "lies at bytes 1 to 17")]
    [TestCase("9223372036854775807", "16", 4UL, "which has 16 bytes")]
    [TestCase("-1", "16", 4UL, "offset is '-1'")]
    [TestCase("0", "99999999999999999999", 4UL, "length is '99999999999999999999'")]
    [TestCase("0", "16", 5UL, "20 bytes, but its entry says 16")]
    [TestCase("0", "16", 0x4000000000000000UL, "impossible shape")]
    [TestCase("0", "16", 0xFFFFFFFFFFFFFFFFUL, "impossible shape")]
    public void SizesThatLieAreRefused(string offset, string length, ulong dimension, string message)
    {
        using TemporaryFolder folder = Folder();
        Assert.That(Problem(folder, Model(Tensor("model.onnx.data", offset, length, dimension))), Does.Contain(message));
    }

    [Test]
    public void BytesThatAreNoMessageAreRefused()
    {
        using TemporaryFolder folder = Folder();
        byte[] model = Model(Tensor("model.onnx.data"));
        for (int length = 0; length < model.Length; length++) Assert.That(Problem(folder, model[..length]), Is.Not.Null, $"cut after {length} bytes");
        Assert.That(Problem(folder, [0x3A, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0]), Does.Contain("not an ONNX file"));
        Assert.That(Problem(folder, [.. Enumerable.Repeat((byte)0xFF, 20)]), Does.Contain("not an ONNX file"));
        Assert.That(Problem(folder, Model([.. Tensor("model.onnx.data"), .. Entry("location", "../outside")])), Does.Contain("two external entries"));
        byte[] nested = Field(1, Field(4, "If"));
        for (int depth = 0; depth < 200; depth++) nested = Field(1, Field(5, Field(6, nested)));
        Assert.That(Problem(folder, Field(7, nested)), Does.Contain("nested deeper"));
    }
}
