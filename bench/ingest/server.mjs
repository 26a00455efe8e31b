// An upload server as it is usually written: express, multer in memory, sharp, the S3 client. Makes the same outputs into the same store.
import { createHash, randomUUID } from 'node:crypto';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import express from 'express';
import multer from 'multer';
import sharp from 'sharp';

const store = JSON.parse(process.env.BENCH_STORE);
const s3 = new S3Client({ endpoint: store.Endpoint, region: store.Region, forcePathStyle: true, credentials: { accessKeyId: store.AccessKey, secretAccessKey: store.SecretKey } });
const bucket = 'bench';
await s3.send(new CreateBucketCommand({ Bucket: bucket })).catch(problem => { if (!/^BucketAlready/.test(problem.name)) throw problem; });
const put = (key, body) => s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body, ContentType: 'image/jpeg' }));

async function take(file) {
  const id = randomUUID();
  const jpeg = { quality: 92, chromaSubsampling: '4:2:0' };
  const photo = await sharp(file.buffer, { failOn: 'error' }).rotate().resize(1536, 1536, { fit: 'inside', withoutEnlargement: true }).toColourspace('srgb').jpeg(jpeg).toBuffer();
  const thumbnail = await sharp(photo).resize(200, 200, { fit: 'cover' }).jpeg(jpeg).toBuffer();
  await Promise.all([put(`${id}.jpg`, photo), put(`${id}-thumbnail.jpg`, thumbnail)]);
  return { id, name: file.originalname, bytes: photo.length, sha256: createHash('sha256').update(file.buffer).digest('hex') };
}

const app = express();
const upload = multer({ storage: multer.memoryStorage(), limits: { fileSize: 20 * 1024 * 1024, files: 40 } });
app.post('/photos', upload.array('photos', 40), async (request, response) => response.json(await Promise.all(request.files.map(take))));
const server = app.listen(0, '127.0.0.1', () => console.log(server.address().port));
