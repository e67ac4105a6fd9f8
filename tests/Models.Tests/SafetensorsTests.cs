using System.Buffers.Binary;
using System.Text;
using NUnit.Framework;
using Rlhf.Core;

namespace Rlhf.Models.Tests;

public sealed class SafetensorsTests
{
    private static readonly float[] Awkward =
        [0f, -0f, 1f, -1.5f, 3.14159274f, 65504f, 65520f, 1e-8f, 6e-8f, float.Epsilon, 1e38f, 3.3895e38f, 1.00390625f, 1.01171875f, 2f, 3f, 4f, 5f, 6f];

    private static SafetensorsOutput Output(string name, float[] values, params long[] shape) =>
        new(name, shape.Length == 0 ? [values.Length] : shape, destination => values.CopyTo(destination));

    [Test]
    public void Float32_comes_back_bit_for_bit_and_the_bytes_depend_on_nothing_else()
    {
        using var folder = new TemporaryFolder();
        string a = folder.File("a.safetensors"), b = folder.File("b.safetensors");
        SafetensorsWriter.Write(a, [Output("z", Awkward), Output("b.weight", [1, 2, 3, 4, 5, 6], 2, 3)], SafetensorsType.F32);
        SafetensorsWriter.Write(b, [Output("b.weight", [1, 2, 3, 4, 5, 6], 2, 3), Output("z", Awkward)], SafetensorsType.F32);
        byte[] bytes = File.ReadAllBytes(a);
        Assert.That(File.ReadAllBytes(b), Is.EqualTo(bytes));
        Assert.That(BinaryPrimitives.ReadUInt64LittleEndian(bytes) % 8, Is.Zero, "data begins aligned");
        Assert.That(Directory.GetFiles(folder.Path, "*.partial"), Is.Empty);

        using SafetensorsReader reader = SafetensorsReader.Open(a);
        float[] read = new float[Awkward.Length];
        reader.Read("z", read);
        Assert.That(read.Select(BitConverter.SingleToUInt32Bits), Is.EqualTo(Awkward.Select(BitConverter.SingleToUInt32Bits)));
        Assert.That(reader.Entry("b.weight").Shape, Is.EqualTo(new long[] { 2, 3 }));
        Assert.That(reader.Metadata["format"], Is.EqualTo("pt"));
    }

    /// <summary>More than one chunk of 262 144 numbers; from memory, through Fill, and hashed on the way: the same bytes.</summary>
    [TestCase(SafetensorsType.F32)]
    [TestCase(SafetensorsType.BF16)]
    public void Numbers_that_lie_in_memory_are_written_as_filled_ones_are(SafetensorsType type)
    {
        using var folder = new TemporaryFolder();
        float[] many = [.. Enumerable.Range(0, 600_001).Select(i => Awkward[i % Awkward.Length] + i)];
        SafetensorsWriter.Write(folder.File("filled"), [Output("a", many), Output("z", Awkward)], type);
        string hash = SafetensorsWriter.WriteHashed(folder.File("lying"), [SafetensorsOutput.Of("z", Awkward), SafetensorsOutput.Of("a", many)], type);
        Assert.That(File.ReadAllBytes(folder.File("lying")), Is.EqualTo(File.ReadAllBytes(folder.File("filled"))));
        Assert.That(hash, Is.EqualTo(Sha256.OfFile(folder.File("filled"))));
    }

    [Test]
    public void Float16_rounds_as_the_cast_does()
    {
        using var folder = new TemporaryFolder();
        SafetensorsWriter.Write(folder.File("a"), [Output("x", Awkward)], SafetensorsType.F16);
        using SafetensorsReader reader = SafetensorsReader.Open(folder.File("a"));
        float[] read = new float[Awkward.Length];
        reader.Read("x", read);
        Assert.That(read, Is.EqualTo(Awkward.Select(v => (float)(Half)v)));
    }

    [Test]
    public void Bfloat16_rounds_to_nearest_even_and_keeps_NaN_and_infinity()
    {
        // 1.00390625 = 1 + 2⁻⁸ lies midway between 1 and 1 + 2⁻⁷: to even, 1. 1.01171875 = 1 + 3·2⁻⁸ midway between 1 + 2⁻⁷ and 1 + 2⁻⁶: to even, 1.015625.
        float[] values = [1.00390625f, 1.01171875f, 1.0039064f, -1.00390625f, 3.4e38f, float.PositiveInfinity, float.NaN, BitConverter.UInt32BitsToSingle(0x7F800001), 1, 1, 1, 1, 1, 1, 1, 1, 1.00390625f, float.NaN];
        float[] expected = [1f, 1.015625f, 1.0078125f, -1f, float.PositiveInfinity, float.PositiveInfinity, float.NaN, float.NaN, 1, 1, 1, 1, 1, 1, 1, 1, 1f, float.NaN];
        byte[] stored = new byte[2 * values.Length];
        FloatConversion.FromSingle(values, SafetensorsType.BF16, stored);
        float[] read = new float[values.Length];
        FloatConversion.ToSingle(stored, SafetensorsType.BF16, read);
        Assert.That(read, Is.EqualTo(expected));
    }

    [Test]
    public void Shards_are_read_as_one_model_and_a_smaller_save_removes_them()
    {
        using var folder = new TemporaryFolder();
        SafetensorsOutput[] tensors = [Output("a", [1, 2, 3, 4]), Output("b", [5, 6, 7, 8]), Output("c", [9, 10])];
        SafetensorsWriter.WriteFolder(folder.Path, tensors, SafetensorsType.F32, maximumShardBytes: 24);
        Assert.That(Directory.GetFiles(folder.Path).Select(Path.GetFileName), Is.EquivalentTo(new[]
        {
            "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json",
        }));
        using (SafetensorsReader reader = SafetensorsReader.Open(folder.Path))
        {
            float[] c = new float[2];
            reader.Read("c", c);
            Assert.That(c, Is.EqualTo(new float[] { 9, 10 }));
            Assert.That(reader.Entries.Keys, Is.EquivalentTo(new[] { "a", "b", "c" }));
        }

        File.Delete(folder.File("model-00002-of-00002.safetensors"));
        Assert.That(Message(() => SafetensorsReader.Open(folder.Path)),
            Is.EqualTo($"{folder.File("model-00002-of-00002.safetensors")}: file not found; the index names it. Copy every shard of the model."));
        SafetensorsWriter.WriteFolder(folder.Path, tensors, SafetensorsType.F32);
        Assert.That(Directory.GetFiles(folder.Path).Select(Path.GetFileName), Is.EqualTo(new[] { "model.safetensors" }));
    }

    [Test]
    public void An_index_cannot_point_outside_the_folder_or_at_the_wrong_shard()
    {
        using var folder = new TemporaryFolder();
        string index = folder.File("model.safetensors.index.json");
        SafetensorsWriter.Write(folder.File("one.safetensors"), [Output("a", [1])], SafetensorsType.F32);
        File.WriteAllText(index, """{"weight_map":{"a":"../one.safetensors"}}""");
        Assert.That(Message(() => SafetensorsReader.Open(folder.Path)), Is.EqualTo($"{index}: shard \"../one.safetensors\" must be a plain file name beside the index."));
        File.WriteAllText(index, """{"weight_map":{"a":"one.safetensors","b":"one.safetensors"}}""");
        Assert.That(Message(() => SafetensorsReader.Open(folder.Path)), Is.EqualTo($"{index}: tensor b: it is not in one.safetensors, where the index puts it."));
        File.WriteAllBytes(index, [.. """{"weight_map":{"a":"one"""u8, 0xFF, .. "\"}}"u8]); // not UTF-8
        Assert.That(Message(() => SafetensorsReader.Open(folder.Path)), Does.StartWith($"{index}: not valid JSON ("));
        File.WriteAllText(index, "{}");
        Assert.That(Message(() => SafetensorsReader.Open(folder.Path)), Is.EqualTo($"{index}: it must have an object weight_map from tensor names to file names."));
    }

    [TestCase("""{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 4, "tensor x: data_offsets [0, 8] do not lie in the file's 4 bytes of data. The file is truncated or damaged.")]
    [TestCase("""{"x":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}""", 8, "tensor x: data_offsets [8, 0] do not lie in the file's 8 bytes of data. The file is truncated or damaged.")]
    [TestCase("""{"x":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}""", 8, "tensor x: data_offsets span 8 bytes but shape [3] of F32 needs 12.")]
    [TestCase("""{"x":{"dtype":"F32","shape":[4611686018427387904,4611686018427387904],"data_offsets":[0,8]}}""", 8, "tensor x: data_offsets span 8 bytes but shape [4611686018427387904, 4611686018427387904] of F32 needs more than any file has.")]
    [TestCase("""{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"y":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""", 12, "tensor y: its data overlaps that of x.")]
    [TestCase("""{"x":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, "tensor x: 4 bytes before its data belong to no tensor.")]
    [TestCase("""{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 8, "4 bytes at the end belong to no tensor. The file is damaged.")]
    [TestCase("""{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"x":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, "tensor x: it is in the header twice.")]
    [TestCase("""{"x":{"dtype":"Q4","shape":[1],"data_offsets":[0,4]}}""", 4, "tensor x: dtype \"Q4\" is not known.")]
    [TestCase("""{"x":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}""", 4, "tensor x: its header entry must have dtype (text), shape (list of whole numbers) and data_offsets (two whole numbers).")]
    [TestCase("[]", 0, "the header is no JSON object.")]
    public void A_lying_header_is_refused(string header, int dataBytes, string message)
    {
        using var folder = new TemporaryFolder();
        string path = folder.File("model.safetensors");
        WriteRaw(path, (ulong)Encoding.UTF8.GetByteCount(header), header, dataBytes);
        Assert.That(Message(() => SafetensorsReader.Open(folder.Path)), Is.EqualTo($"{path}: {message}"));
    }

    [Test]
    public void A_header_longer_than_the_file_is_refused_before_anything_is_allocated()
    {
        using var folder = new TemporaryFolder();
        string path = folder.File("model.safetensors");
        WriteRaw(path, ulong.MaxValue, "{}", 0);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.That(Message(() => SafetensorsReader.Open(path)),
            Is.EqualTo($"{path}: the header says it has 18446744073709551615 bytes but the file has only 2 after the length. It is truncated or no safetensors file."));
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(10_000_000));
        File.WriteAllBytes(path, [1, 2, 3]);
        Assert.That(Message(() => SafetensorsReader.Open(path)), Does.StartWith($"{path}: the file has 3 bytes;"));
        WriteRaw(path, 5, "{]}{}", 0);
        Assert.That(Message(() => SafetensorsReader.Open(path)), Does.StartWith($"{path}: the header is not valid JSON"));
    }

    [Test]
    public void Every_truncation_of_a_file_is_refused()
    {
        using var folder = new TemporaryFolder();
        string path = folder.File("model.safetensors");
        SafetensorsWriter.Write(path, [Output("a", [1, 2]), Output("b", [3])], SafetensorsType.F32);
        byte[] whole = File.ReadAllBytes(path);
        for (int length = 0; length < whole.Length; length++)
        {
            File.WriteAllBytes(path, whole[..length]);
            Assert.Throws<BadModelException>(() => SafetensorsReader.Open(path), $"{length} of {whole.Length} bytes");
        }
    }

    [Test]
    public void Reading_names_the_tensor_that_is_missing_of_another_size_or_not_finite()
    {
        using var folder = new TemporaryFolder();
        string path = folder.File("model.safetensors");
        SafetensorsWriter.Write(path, [Output("a", [1, 2, float.NaN, 4])], SafetensorsType.BF16);
        using SafetensorsReader reader = SafetensorsReader.Open(path);
        Assert.Multiple(() =>
        {
            Assert.That(Message(() => reader.Read("a", new float[4], refuseNonFinite: true)), Is.EqualTo($"{path}: tensor a: number 2 is NaN; weights must be finite."));
            Assert.That(Message(() => reader.Read("a", new float[3])), Is.EqualTo($"{path}: tensor a: shape [4] has 4 numbers; 3 expected."));
            Assert.That(Message(() => reader.Read("b", new float[3])), Does.StartWith($"{path}: tensor b is missing;"));
            Assert.DoesNotThrow(() => reader.Read("a", new float[4]));
        });
    }

    [Test]
    public void Integers_may_lie_in_the_file_but_are_no_weights()
    {
        using var folder = new TemporaryFolder();
        string path = folder.File("model.safetensors");
        const string header = """{"n":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}""";
        WriteRaw(path, (ulong)header.Length, header, 8);
        using SafetensorsReader reader = SafetensorsReader.Open(path);
        Assert.That(Message(() => reader.Read("n", new float[1])), Is.EqualTo($"{path}: tensor n: dtype I64 cannot be read; weights are F32, F16 or BF16."));
    }

    [Test]
    public void Finds_the_first_number_that_is_not_finite([Values(0, 7, 8, 30, 32)] int place)
    {
        float[] values = new float[33];
        Assert.That(FloatConversion.IndexOfNonFinite(values), Is.EqualTo(-1));
        values[place] = float.NegativeInfinity;
        values[32] = float.NaN;
        Assert.That(FloatConversion.IndexOfNonFinite(values), Is.EqualTo(place));
    }

    private static string Message(Action action) => Assert.Throws<BadModelException>(action)!.Message;

    private static void WriteRaw(string path, ulong headerLength, string header, int dataBytes)
    {
        byte[] prefix = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(prefix, headerLength);
        File.WriteAllBytes(path, [.. prefix, .. Encoding.UTF8.GetBytes(header), .. new byte[dataBytes]]);
    }
}
